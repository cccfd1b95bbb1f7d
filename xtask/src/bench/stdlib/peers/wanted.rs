//! What the peers are told: the data of the races, as one JSON file, which their programs read, each in its own manner.

use serde_json::{Value, json};

use super::data;

/// The template of the races, whose placeholders say what stands for them.
const SITE: &str = include_str!("../../../../templates/bench/assets/site.conf");

/// All of it. Some of it twice, since not all of them can do much with data.
pub(super) fn wanted() -> String {
    let all = json!({
        "packages": data::PACKAGES,
        "people": data::twenty().map(person).collect::<Vec<_>>(),
        "lines_file": data::LINES_FILE,
        "lines": data::twenty().map(data::line).collect::<Vec<_>>(),
        "services": data::SERVICES,
        "jobs": jobs().map(|job| job.data()).collect::<Vec<_>>(),
        "crontab_file": data::CRONTAB,
        "crontab": jobs().map(|job| job.line()).collect::<Vec<_>>(),
        "sysctl_file": data::SYSCTL_FILE,
        "sysctl": data::SYSCTL.map(setting),
        "sysctl_lines": data::SYSCTL.map(|(key, value)| format!("{key} = {value}")),
    });
    format!("{all:#}\n")
}

/// The template with other placeholders: each template language has its own.
pub(super) fn site(name: &str, port: &str) -> String {
    SITE.replace("{{ name }}", name).replace("{{ port }}", port)
}

/// A cron entry, its schedule taken apart.
pub(super) struct Job {
    pub(super) name: String,
    pub(super) command: String,
    /// Minute, hour, day, month, weekday.
    pub(super) schedule: [String; 5],
}

pub(super) fn jobs() -> impl Iterator<Item = Job> {
    (1..=5).map(|number| {
        let (name, schedule, command) = data::cron(number);
        let mut fields = schedule.split_whitespace().map(str::to_owned);
        Job { name, command, schedule: std::array::from_fn(|_| fields.next().unwrap_or_default()) }
    })
}

impl Job {
    fn line(&self) -> String {
        format!("{} {}", self.schedule.join(" "), self.command)
    }

    fn data(&self) -> Value {
        let [minute, hour, day, month, weekday] = &self.schedule;
        json!({
            "name": self.name, "command": self.command,
            "minute": minute, "hour": hour, "day": day, "month": month, "weekday": weekday,
        })
    }
}

/// A group, a user of it, a directory of the user's, and two files in that.
fn person(number: usize) -> Value {
    let ((group, gid), (user, uid)) = (data::group(number), data::user(number));
    let ((plain, text), (site, port)) = (data::plain(number), data::templated(number));
    json!({
        "group": group, "gid": gid, "user": user, "uid": uid, "directory": data::directory(number),
        "plain": plain, "text": text, "site": site, "port": port,
    })
}

/// A setting of the kernel, and how its file in `/proc` reads when it is so.
fn setting((key, value): (&str, &str)) -> Value {
    let path = format!("/proc/sys/{}", key.replace('.', "/"));
    json!({ "key": key, "value": value, "path": path, "pattern": format!("{}\\s*", value.replace(' ', "\\s+")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Value {
        serde_json::from_str(&wanted()).unwrap()
    }

    #[test]
    fn there_are_155_things() {
        let all = all();
        let count = |key: &str| all[key].as_array().unwrap().len();
        let single = ["packages", "lines", "services", "jobs", "sysctl"].map(count);
        let person = ["group", "user", "directory", "plain", "site"];
        assert!(all["people"].as_array().unwrap().iter().all(|one| person.iter().all(|key| one[*key].is_string())));
        assert_eq!(single.iter().sum::<usize>() + count("people") * person.len(), 155);
    }

    #[test]
    fn the_template_is_that_of_the_races() {
        assert_eq!(site("wbuser7", "8007"), data::filled("wbuser7", 8007));
        assert!(site("<%= $site %>", "<%= $port %>").starts_with("# <%= $site %>: do not edit\n"));
    }

    #[test]
    fn a_cron_entry_is_taken_apart_and_put_together() {
        let job = jobs().nth(1).unwrap();
        assert_eq!(job.line(), "2 3 * * * /bin/true 2");
        assert_eq!((&job.data()["minute"], &job.data()["weekday"]), (&json!("2"), &json!("*")));
    }

    #[test]
    fn blanks_in_a_setting_are_of_any_kind() {
        let check = |value, expect: &str| assert_eq!(setting(("a.b", value))["pattern"], expect);
        check("1", r"1\s*");
        check("20000 60000", r"20000\s+60000\s*");
        assert_eq!(setting(("a.b", "1"))["path"], "/proc/sys/a/b");
    }
}
