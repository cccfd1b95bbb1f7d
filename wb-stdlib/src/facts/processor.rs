//! Processors.

use std::collections::BTreeSet;

/// What the processors are. How many are online is [`Basics::cpus`](super::Basics::cpus).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Processors {
    /// What their maker calls them; empty where the kernel does not say, as on ARM.
    pub model: String,
    /// Their maker, as in `GenuineIntel`.
    pub vendor: String,
    /// How many chips there are; 0 where the kernel does not say.
    pub sockets: usize,
    /// How many cores these have together; 0 where the kernel does not say.
    pub cores: usize,
    /// What they can do, as in `avx2`.
    pub flags: BTreeSet<String>,
}

impl Processors {
    /// Reads `/proc/cpuinfo`: a paragraph for each thread that a core runs.
    pub(super) fn parse(text: &str) -> Self {
        let mut found = Self::default();
        let (mut sockets, mut cores, mut socket) = (BTreeSet::new(), BTreeSet::new(), "");
        for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match key.trim() {
                "model name" | "cpu model" if found.model.is_empty() => found.model = value.into(),
                "vendor_id" if found.vendor.is_empty() => found.vendor = value.into(),
                "physical id" => {
                    socket = value;
                    sockets.insert(value);
                }
                "core id" => drop(cores.insert((socket, value))),
                "flags" | "Features" if found.flags.is_empty() => {
                    found.flags = value.split_whitespace().map(str::to_owned).collect();
                }
                _ => {}
            }
        }
        Self { sockets: sockets.len(), cores: cores.len(), ..found }
    }

    /// Whether they can do this, as in `avx2`.
    #[must_use]
    pub fn can(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_told_from_cores() {
        let thread = |socket: u8, core: u8| {
            format!(
                "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) CPU\nphysical id\t: {socket}\n\
                 core id\t\t: {core}\nflags\t\t: fpu sse avx2 hypervisor\n\n"
            )
        };
        let text = [thread(0, 0), thread(0, 1), thread(0, 0), thread(1, 0)].concat();
        let found = Processors::parse(&text);
        assert_eq!((found.model.as_str(), found.vendor.as_str()), ("Intel(R) Xeon(R) CPU", "GenuineIntel"));
        assert_eq!((found.sockets, found.cores), (2, 3));
        assert!(found.can("avx2") && !found.can("avx512f"));
    }

    #[test]
    fn what_arm_does_not_say_is_empty() {
        let text = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd crc32\nCPU implementer\t: 0x41\n";
        let found = Processors::parse(text);
        assert_eq!((found.model.as_str(), found.sockets, found.cores), ("", 0, 0));
        assert!(found.can("asimd"));
    }
}
