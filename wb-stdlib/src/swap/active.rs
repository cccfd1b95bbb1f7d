//! What the kernel swaps to, as `/proc/swaps` has it.

use crate::mount::fstab::{escaped, unescaped};

/// The priority of the swap space at `path`, when it is in use. The path has no links in it.
pub(super) fn priority(swaps: &str, path: &str) -> Option<i32> {
    let lines = swaps.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    lines
        .filter(|words| words.first().is_some_and(|found| unescaped(found) == path))
        .find_map(|words| words.get(4)?.parse().ok())
}

/// What the kernel would show with the swap space at `path` in use, with this priority.
pub(super) fn with(swaps: &str, path: &str, priority: i32) -> String {
    let mut text = without(swaps, path);
    if text.is_empty() {
        text.push_str("Filename Type Size Used Priority\n");
    }
    text + &format!("{} file 0 0 {priority}\n", escaped(path))
}

/// What the kernel would show with the one at `path` off.
pub(super) fn without(swaps: &str, path: &str) -> String {
    let is_it = |line: &str| line.split_ascii_whitespace().next().is_some_and(|found| unescaped(found) == path);
    swaps.lines().filter(|line| !is_it(line)).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_read_from_what_the_kernel_shows() {
        let swaps = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
                     /dev/vda2                               partition\t999420\t\t0\t\t-2\n\
                     /my\\040swap                            file\t\t1048572\t\t12\t\t10\n";
        assert_eq!(priority(swaps, "/dev/vda2"), Some(-2));
        assert_eq!(priority(swaps, "/my swap"), Some(10));
        assert_eq!(priority(swaps, "/swapfile"), None);
        assert_eq!(priority("", "/swapfile"), None);
        assert_eq!(priority(&with(swaps, "/my swap", 7), "/my swap"), Some(7));
        assert_eq!(priority(&with("", "/swapfile", -2), "/swapfile"), Some(-2));
        assert_eq!(priority(&without(swaps, "/my swap"), "/my swap"), None);
        assert_eq!(priority(&without(swaps, "/my swap"), "/dev/vda2"), Some(-2));
    }
}
