//! What a herd may leave on the machine: processes, mounts, namespaces, disks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use wb_core::system::clock::{Clock as _, Real};
use wb_core::system::files;

/// Notes the namespaces of the herd in a scratch directory while it runs.
pub(crate) struct Traces {
    scratch: PathBuf,
    over: Arc<AtomicBool>,
    seen: JoinHandle<Vec<PathBuf>>,
}

impl Traces {
    pub(crate) fn watch(scratch: &Path) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (record, end) = (scratch.join("herd.json"), Arc::clone(&over));
        files::remove(&record).unwrap();
        let seen = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                if let Some(namespaces) = namespaces_of_keeper(&record) {
                    return namespaces;
                }
                Real.sleep(Duration::from_millis(100));
            }
            Vec::new()
        });
        Self { scratch: scratch.to_owned(), over, seen }
    }

    /// All that is left, now that the herd has ended.
    pub(crate) fn left(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        let herds = self.seen.join().unwrap();
        assert_eq!(herds.len(), NAMESPACES.len(), "the herd had namespaces of its own");
        let disks = ["hosts", "logs", "packages", "herd.json"].map(|part| self.scratch.join(part));
        let disks = disks.into_iter().filter(|path| files::exists(path)).map(|path| path.display().to_string());
        let processes = processes().into_iter().filter_map(|process| belongs(&process, &self.scratch, &herds));
        disks.chain(processes).chain(children()).collect()
    }
}

const NAMESPACES: [&str; 3] = ["ns/net", "ns/mnt", "ns/pid"];

fn namespaces_of_keeper(record: &Path) -> Option<Vec<PathBuf>> {
    let record: Value = serde_json::from_slice(&files::read(record).ok()?).ok()?;
    let keeper = PathBuf::from(format!("/proc/{}", record["keeper"]["pid"]));
    let found: Vec<PathBuf> = NAMESPACES.iter().filter_map(|name| files::read_link(keeper.join(name)).ok()).collect();
    let own = |name: &&str| files::read_link(Path::new("/proc/self").join(name)).ok();
    let differs = found.iter().zip(&NAMESPACES).all(|(found, name)| own(name).as_ref() != Some(found));
    (differs && found.len() == NAMESPACES.len()).then_some(found)
}

fn processes() -> Vec<PathBuf> {
    let is_number = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().parse::<u32>().is_ok());
    files::list("/proc").unwrap().into_iter().filter(is_number).collect()
}

/// What ties a process to the herd, if something does. A process that ends meanwhile is none.
fn belongs(process: &Path, scratch: &Path, herds: &[PathBuf]) -> Option<String> {
    let scratch = scratch.display().to_string();
    let in_namespace = NAMESPACES.iter().filter_map(|name| files::read_link(process.join(name)).ok());
    let mounts = files::read_text(process.join("mountinfo")).unwrap_or_default();
    let tie = match in_namespace.into_iter().find(|namespace| herds.contains(namespace)) {
        Some(namespace) => namespace.display().to_string(),
        None => mounts.lines().find(|mount| mount.contains(&scratch))?.to_owned(),
    };
    let name = files::read_text(process.join("comm")).unwrap_or_default();
    Some(format!("process {} {}: {tie}", process.display(), name.trim()))
}

/// What this process started and what still runs, on the machine's side of the herd.
fn children() -> Vec<String> {
    let of_task = |task: PathBuf| files::read_text(task.join("children")).unwrap_or_default();
    let children: String = files::list("/proc/self/task").unwrap().into_iter().map(of_task).collect();
    let stat = |pid: &str| files::read_text(format!("/proc/{pid}/stat")).unwrap_or_default();
    let runs = |stat: &String| !stat.is_empty() && !stat.contains(") Z ");
    children.split_whitespace().map(stat).filter(runs).map(|stat| format!("child {stat}")).collect()
}
