//! Memory and swap.

/// How much memory and swap there is, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Memory {
    /// All memory that the kernel manages.
    pub total_mib: u64,
    /// What programs can still have without swapping.
    pub available_mib: u64,
    /// All swap.
    pub swap_mib: u64,
    /// What of it is free.
    pub swap_free_mib: u64,
}

impl Memory {
    /// Reads lines like `MemTotal:        8123456 kB`.
    pub(super) fn parse(text: &str) -> Self {
        let mib = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            kib.unwrap_or(0) / 1024
        };
        Self {
            total_mib: mib("MemTotal"),
            available_mib: mib("MemAvailable"),
            swap_mib: mib("SwapTotal"),
            swap_free_mib: mib("SwapFree"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_mib() {
        let text = "MemTotal:        8135972 kB\nMemFree:          223456 kB\nMemAvailable:    4194304 kB\n\
                    SwapCached:            0 kB\nSwapTotal:       1048572 kB\nSwapFree:         524288 kB\n";
        let expect = Memory { total_mib: 7945, available_mib: 4096, swap_mib: 1023, swap_free_mib: 512 };
        assert_eq!(Memory::parse(text), expect);
        assert_eq!(Memory::parse("MemTotal: many\n"), Memory::default());
    }
}
