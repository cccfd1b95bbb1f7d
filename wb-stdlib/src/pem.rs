//! PEM: what lies between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`, in base64. See RFC 7468.

use base64ct::{Base64, Encoding as _};

/// One of the blocks of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// As in `CERTIFICATE`, `EC PRIVATE KEY`.
    pub(crate) label: String,
    /// What is in it, without line breaks.
    pub(crate) base64: String,
}

impl Block {
    /// What its base64 stands for.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        Base64::decode_vec(&self.base64).ok()
    }
}

/// The blocks of a text; what stands between them does not count, and neither does one without an end.
pub(crate) fn blocks(text: &[u8]) -> Vec<Block> {
    let text = String::from_utf8_lossy(text);
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines().map(str::trim) {
        let mark = |word: &str| line.strip_prefix(word).and_then(|rest| rest.strip_suffix("-----"));
        if let Some(label) = mark("-----BEGIN ") {
            open = Some(Block { label: label.to_owned(), base64: String::new() });
        } else if let Some(label) = mark("-----END ") {
            blocks.extend(open.take().filter(|block| block.label == label));
        } else if let Some(block) = &mut open
            && !line.contains(':')
        {
            block.base64.push_str(line);
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_in_a_text() {
        let text = "# a comment\n-----BEGIN A-----\nProc-Type: 4\nYWJj\r\nZGVm\n-----END A-----\n\n-----BEGIN B C-----\n\
                    Zw==\n-----END B C-----\n-----BEGIN D-----\nZw==\n-----END E-----\n-----BEGIN F-----\nZw==\n";
        let blocks = blocks(text.as_bytes());
        let labels: Vec<&str> = blocks.iter().map(|block| block.label.as_str()).collect();
        assert_eq!(labels, ["A", "B C"]);
        assert_eq!((blocks[0].bytes(), blocks[1].bytes()), (Some(b"abcdef".to_vec()), Some(b"g".to_vec())));
        assert_eq!(Block { label: "A".into(), base64: "!".into() }.bytes(), None);
    }
}
