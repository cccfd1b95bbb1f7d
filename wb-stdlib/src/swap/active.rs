//! What the kernel swaps to, as `/proc/swaps` has it.

use crate::mount::fstab::unescaped;

/// The priority of the swap space at `path`, when it is in use. The path has no links in it.
pub(super) fn priority(swaps: &str, path: &str) -> Option<i32> {
    let lines = swaps.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    lines
        .filter(|words| words.first().is_some_and(|found| unescaped(found) == path))
        .find_map(|words| words.get(4)?.parse().ok())
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
    }
}
