//! What rpm knows, for dnf and zypper. Its database only rpm itself can read: this starts one program.

use wb_core::system::{Command, Output, System};

use super::PackageError;
use super::facts::{Facts, Found, found};
use super::tool::{failure, quiet};
use super::version;

/// The format that [`parse`] reads.
const FORMAT: &str = "%{NAME}|%{EPOCHNUM}|%{VERSION}-%{RELEASE}\n";

pub(super) fn facts(system: &System, names: &[String]) -> Result<Found, PackageError> {
    let query = quiet(Command::new("rpm")).args(["-q", "--qf", FORMAT, "--"]).args(names);
    let looked = |source| PackageError::Look { names: names.to_vec(), source };
    // Its exit code is the number of those that are not installed, which is no failure here.
    let output = system.run(&query).map_err(looked)?;
    if !tells_of_all(&output, names) {
        return Err(looked(failure(&query, &output)));
    }
    let text = output.text();
    Ok(found(names, |name| parse(&text, name)))
}

/// Whether rpm could look for each of these packages. Where it can't read its database, it says so on standard error, and
/// calls each of them not installed.
fn tells_of_all(output: &Output, names: &[String]) -> bool {
    let text = output.text();
    let is_told = |name: &String| {
        let absent = format!("package {name} is not installed");
        text.lines().any(|line| line == absent || line.strip_prefix(name).is_some_and(|rest| rest.starts_with('|')))
    };
    let has_failed = output.error_text().lines().any(|line| line.starts_with("error:"));
    !has_failed && names.iter().all(is_told)
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

    #[test]
    fn a_database_that_can_not_be_read_is_not_one_without_packages() {
        let check = |stdout: &str, stderr: &str, expect| {
            let output = Output { code: 1, stdout: stdout.into(), stderr: stderr.into() };
            assert_eq!(tells_of_all(&output, &["bash".into(), "nginx".into()]), expect, "{stdout}{stderr}");
        };
        let said = "bash|0|5.1.8-9.el9\npackage nginx is not installed\n";
        check(said, "", true);
        check(said, "warning: Converting database from bdb_ro to sqlite backend\n", true);
        check("bash-completion|0|2.11-5.el9\npackage nginx is not installed\n", "", false);
        check("", "", false);
        // rpm 4.11 of CentOS 7.
        let broken = "error: rpmdb: BDB0113 Thread/process 5482/139661186205760 failed\nerror: cannot open Packages index \
                      using db5 -  (-30973)\nerror: cannot open Packages database in /var/lib/rpm\n";
        check("package bash is not installed\npackage nginx is not installed\n", broken, false);
    }
}
