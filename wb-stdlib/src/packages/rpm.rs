//! What rpm knows, for dnf and zypper. Its database only rpm itself can read: this starts one program.

use wb_core::system::{Command, System};

use super::PackageError;
use super::facts::{Facts, Found, found};
use super::tool::quiet;
use super::version;

/// The format that [`parse`] reads.
const FORMAT: &str = "%{NAME}|%{EPOCHNUM}|%{VERSION}-%{RELEASE}\n";

pub(super) fn facts(system: &System, names: &[String]) -> Result<Found, PackageError> {
    let query = quiet(Command::new("rpm")).args(["-q", "--qf", FORMAT, "--"]).args(names);
    // Its exit code is the number of those that are not installed, which is no failure here.
    let output = system.run(&query).map_err(|source| PackageError::Look { names: names.to_vec(), source })?;
    let text = output.text();
    Ok(found(names, |name| parse(&text, name)))
}

/// `version-release`, after `epoch:` where that is not 0.
pub(super) fn version(epoch: &str, rest: &str) -> String {
    if matches!(epoch, "" | "0" | "(none)") { rest.to_owned() } else { format!("{epoch}:{rest}") }
}

/// Finds lines `bash|0|5.1.8-9.el9` of a name. Of many versions, as of kernels, the newest counts.
fn parse(text: &str, name: &str) -> Facts {
    let mut versions: Vec<String> = Vec::new();
    for line in text.lines() {
        if let [found, epoch, rest] = line.split('|').collect::<Vec<_>>()[..]
            && found == name
        {
            versions.push(version(epoch, rest));
        }
    }
    versions.sort_by(|a, b| version::rpm(a, b));
    versions.last().map(|version| Facts::installed(version)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_rpm_says() {
        let text = "bash|0|5.1.8-9.el9\nopenssl|1|3.0.7-27.el9\npackage nginx is not installed\n\
                    kernel|0|5.14.0-362.8.1.el9_3\nkernel|0|5.14.0-362.24.1.el9_3\n";
        let check = |name: &str, expect: &str| assert_eq!(parse(text, name).state.to_string(), expect);
        check("bash", "installed in version 5.1.8-9.el9");
        check("openssl", "installed in version 1:3.0.7-27.el9");
        check("kernel", "installed in version 5.14.0-362.24.1.el9_3");
        check("nginx", "absent");
        check("package nginx is not installed", "absent");
    }
}
