//! What came of killing a link, beside the layer after it: who came through is not killed again. Who did not, and whom nobody
//! killed yet, is killed in each test until it comes through, wherever its host comes from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wb_core::system::files;

use super::outcome::{Tested, Verdict};
use super::walk::{Step, Walk};
use crate::sandbox::Layer;

#[derive(Debug, Serialize, Deserialize)]
struct Proven {
    every_point: bool,
    results: Vec<Tested>,
}

/// The layer after a link that a player has behind it.
pub(super) fn after(walk: &Walk<'_>, step: Step) -> Option<Layer> {
    walk.layers.find(walk.parts[step.part].before(step.place + 1)?)
}

/// What was found when the link of a layer was killed, as thoroughly as is asked for.
pub(super) fn of(layer: &Layer, every_point: bool) -> Option<Vec<Tested>> {
    let proven: Proven = serde_json::from_slice(&files::read_optional(place(layer)).ok()??).ok()?;
    (proven.every_point || !every_point).then_some(proven.results)
}

/// Keeps that, where the link came through.
pub(super) fn keep(layer: &Layer, every_point: bool, results: &[Tested]) {
    if came_through(results) {
        let proven = Proven { every_point, results: results.to_vec() };
        // What can't be kept is found out once more.
        drop(serde_json::to_vec(&proven).map(|json| files::replace(place(layer), json)));
    }
}

/// Forgets it of the links that were passed in a walk: they were run anew.
pub(super) fn forget(walk: &Walk<'_>, passed: &[Step]) {
    passed.iter().filter_map(|step| after(walk, *step)).for_each(|layer| forget_of(&layer));
}

fn forget_of(layer: &Layer) {
    drop(files::remove(place(layer)));
}

fn came_through(results: &[Tested]) -> bool {
    let is_well = |tested: &Tested| matches!(tested.verdict, Verdict::Passed | Verdict::Ignored { .. });
    !results.is_empty() && results.iter().all(is_well)
}

fn place(layer: &Layer) -> PathBuf {
    layer.root.with_file_name("interrupted.json")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::outcome::Check;
    use super::*;

    fn tested(verdict: Verdict) -> Tested {
        Tested { verdict, ..Tested::new(Check::Interrupted("at \"x\"".into())) }
    }

    fn layer(dir: &tempfile::TempDir) -> Layer {
        Layer { key: "ab".into(), root: dir.path().join("upper"), about: Value::Null }
    }

    #[test]
    fn who_came_through_is_not_killed_again() {
        let check = |results: &[Tested], expect: bool| {
            let dir = tempfile::tempdir().unwrap();
            let layer = layer(&dir);
            keep(&layer, false, results);
            assert_eq!(of(&layer, false), expect.then(|| results.to_vec()), "{results:?}");
            assert_eq!(of(&layer, true), None);
        };
        let (passed, why) = (tested(Verdict::Passed), String::new());
        let ignored = tested(Verdict::Ignored { why: why.clone() });
        let not_run = tested(Verdict::NotRun { why });
        let failed = tested(Verdict::Failed { what: String::new(), hint: None });
        check(&[], false);
        check(std::slice::from_ref(&passed), true);
        check(&[ignored], true);
        check(&[passed.clone(), not_run], false);
        check(&[failed, passed], false);
    }

    #[test]
    fn what_is_kept_stands_until_the_link_is_run_anew() {
        let dir = tempfile::tempdir().unwrap();
        let layer = layer(&dir);
        keep(&layer, true, &[tested(Verdict::Passed)]);
        assert!(of(&layer, false).is_some() && of(&layer, true).is_some());
        forget_of(&layer);
        assert_eq!(of(&layer, false), None);
        files::write(place(&layer), "{", 0o644).unwrap();
        assert_eq!(of(&layer, false), None);
    }

    #[test]
    fn what_is_kept_lies_in_the_layer_and_goes_with_it() {
        let (dir, passed) = (tempfile::tempdir().unwrap(), [tested(Verdict::Passed)]);
        let [one, other] = ["a", "b"].map(|key| {
            let root = dir.path().join(key).join("upper");
            files::create_dir(&root).unwrap();
            Layer { key: key.into(), root, about: Value::Null }
        });
        keep(&one, false, &passed);
        assert_eq!((of(&one, false).as_deref(), of(&other, false)), (Some(&passed[..]), None));
        files::remove_tree(dir.path().join("a")).unwrap();
        assert_eq!(of(&one, false), None);
    }
}
