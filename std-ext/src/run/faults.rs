//! Every change of the disk by which a run is put in its place fails once, by an error and by the end of the process.

use super::config::RuleName;
use super::folder::{CONFIG, Claim, Folder, MANIFEST, files_of, sha256};
use super::manifest::Manifest;
use crate::file::faults::{Fault, end, plan};
use agop_core::digest::Digest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What stands at the place before.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Nothing,
    Empty,
    Run,
    /// A run whose folder the name is a link to.
    Link,
}

const ALL: [Before; 4] = [Before::Nothing, Before::Empty, Before::Run, Before::Link];

fn run(content: &str, rules: &[RuleName]) -> Folder {
    let names = rules.iter().copied().flat_map(files_of).chain([CONFIG.to_owned()]);
    let files: BTreeMap<_, _> = names.map(|name| (name, content.as_bytes().to_vec())).collect();
    let digests = files.iter().map(|(name, bytes)| (name.clone(), sha256(bytes))).collect();
    let rules = rules.iter().map(|rule| (*rule, Vec::new())).collect();
    Folder { manifest: Manifest::new(Digest([0; 32]), rules, digests), files }
}

fn old() -> Folder {
    run("old", &[RuleName::Gd, RuleName::Slo])
}

fn new() -> Folder {
    run("new", &[RuleName::Gd])
}

/// All files below a folder.
fn content(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(content(&path));
        } else {
            all.insert(path.clone(), std::fs::read(path).unwrap());
        }
    }
    all
}

/// Whether the folder holds that run, whole, and nothing else.
fn holds(directory: &Path, run: &Folder) -> bool {
    let mut expected: BTreeMap<PathBuf, Vec<u8>> =
        run.files.iter().map(|(name, bytes)| (directory.join(name), bytes.clone())).collect();
    expected.insert(directory.join(MANIFEST), run.manifest.encode().unwrap());
    directory.is_dir() && content(directory) == expected
}

/// A folder in that state, and the place in it.
fn prepared(before: Before) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("deep/run");
    let named = |place: &Path| Claim::named(place, true).unwrap();
    match before {
        Before::Nothing => {}
        Before::Empty => std::fs::create_dir_all(&place).unwrap(),
        Before::Run => drop(named(&place).place(&old()).unwrap()),
        Before::Link => {
            named(&root.path().join("elsewhere/run")).place(&old()).unwrap();
            std::fs::create_dir(root.path().join("deep")).unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink(root.path().join("elsewhere/run"), &place).unwrap();
        }
    }
    (root, place)
}

/// Entries beside the place.
fn beside(place: &Path) -> Vec<PathBuf> {
    let Ok(place) =
        place.canonicalize().or_else(|_| place.parent().unwrap().canonicalize().map(|p| p.join("run")))
    else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(place.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| *path != place).collect()
}

/// Old, new, or as empty as it was.
fn check_place(before: Before, place: &Path, context: &str) {
    let whole = match before {
        Before::Run | Before::Link => holds(place, &old()) || holds(place, &new()),
        Before::Nothing => !place.exists() || holds(place, &new()),
        Before::Empty => holds(place, &new()) || content(place).is_empty(),
    };
    assert!(whole, "{context}: {:?}", content(place).keys());
}

#[test]
fn no_error_destroys_a_run_or_leaves_a_part_of_one() {
    let mut failures = 0;
    for before in ALL {
        for after in 0.. {
            let (root, place) = prepared(before);
            let claim = Claim::named(&place, true).unwrap();
            plan(after, Fault::Error);
            let placed = claim.place(&new());
            if !end() {
                assert!(holds(&place, &new()) && beside(&place).is_empty(), "{before:?}");
                break;
            }
            failures += 1;
            let context = format!("{before:?}, change {after}: {placed:?}");
            check_place(before, &place, &context);
            match placed {
                // Only the removal of the old run may fail without an error; it is named.
                Ok(placed) => {
                    assert!(holds(&place, &new()), "{context}");
                    assert_eq!(beside(&place), placed.left.into_iter().collect::<Vec<_>>(), "{context}");
                }
                Err(error) => {
                    let error = error.to_string();
                    let after = |text| error.split_once(text).map(|(_, path)| Path::new(path));
                    let beside = beside(&place);
                    if let Some(left) = after("; the run stands whole in ") {
                        assert!(holds(left, &new()) && beside == [left], "{context}");
                    } else if let Some(left) = after(", the old one in ") {
                        assert!(holds(&place, &new()), "{context}");
                        assert!(holds(left, &old()) && beside == [left], "{context}");
                    } else {
                        let placed = error.contains("; the run stands in ") && holds(&place, &new());
                        let parent = place.parent().unwrap().exists();
                        assert!(placed || parent == (before != Before::Nothing), "{context}");
                        assert!(beside.is_empty(), "{context}");
                    }
                }
            }
            drop(root);
        }
    }
    println!("{failures} changes failed by an error");
    assert!(failures > 50);
}

const KILLED: &str = "AGOP_TEST_KILLED";

/// The process that is killed; without the variable it has nothing to do.
#[test]
fn killed() {
    let Ok(plan_text) = std::env::var(KILLED) else { return };
    let (after, place) = plan_text.split_once(' ').unwrap();
    let claim = Claim::named(Path::new(place), true).unwrap();
    plan(after.parse().unwrap(), Fault::Kill);
    claim.place(&new()).unwrap();
    assert!(!end());
}

#[test]
fn no_kill_destroys_a_run_or_leaves_a_part_of_one() {
    let mut kills = 0;
    for before in ALL {
        for after in 0.. {
            let (root, place) = prepared(before);
            let killed = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "run::faults::killed"])
                .env(KILLED, format!("{after} {}", place.display()))
                .output()
                .unwrap();
            if killed.status.success() {
                assert!(holds(&place, &new()) && beside(&place).is_empty(), "{before:?}");
                break;
            }
            kills += 1;
            assert_eq!(killed.status.code(), None, "{killed:?}");
            check_place(before, &place, &format!("{before:?}, killed at change {after}"));
            // What is left stands in no one's way.
            assert!(beside(&place).len() <= 1);
            Claim::named(&place, true).unwrap().place(&new()).unwrap();
            assert!(holds(&place, &new()));
            drop(root);
        }
    }
    println!("killed at {kills} changes");
    assert!(kills > 50);
}

/// Where folders cannot be exchanged in one step, a second step that fails undoes the first.
#[test]
fn an_exchange_by_names_that_fails_changes_nothing() {
    let (root, place) = prepared(Before::Run);
    let missing = root.path().join("deep/.agop-x.tmp");
    assert!(super::folder::exchange_by_names(&missing, &place).is_err());
    assert!(holds(&place, &old()) && beside(&place).is_empty());
    let other = root.path().join("deep/other");
    Claim::named(&other, false).unwrap().place(&new()).unwrap();
    super::folder::exchange_by_names(&other, &place).unwrap();
    assert!(holds(&place, &new()) && holds(&other, &old()));
}

/// Why: a run that others must not read stays so when it is overwritten.
#[cfg(unix)]
#[test]
fn the_permissions_of_the_folder_stay() {
    use std::os::unix::fs::PermissionsExt;
    for before in [Before::Empty, Before::Run] {
        let (_root, place) = prepared(before);
        std::fs::set_permissions(&place, PermissionsExt::from_mode(0o700)).unwrap();
        Claim::named(&place, true).unwrap().place(&new()).unwrap();
        assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

/// What somebody put into the run meanwhile, or a run that another process placed there, is not removed.
#[test]
fn what_came_in_between_stays() {
    let (root, place) = prepared(Before::Run);
    let claim = Claim::named(&place, true).unwrap();
    std::fs::write(place.join("notes.txt"), "mine").unwrap();
    let placed = claim.place(&new()).unwrap();
    let left = placed.left.unwrap();
    assert_eq!(std::fs::read(left.join("notes.txt")).unwrap(), b"mine");
    assert!(holds(&place, &new()));
    let place = root.path().join("late");
    let claim = Claim::named(&place, false).unwrap();
    Claim::named(&place, false).unwrap().place(&old()).unwrap();
    let error = claim.place(&new()).unwrap_err().to_string();
    let (_, left) = error.split_once("; the run stands whole in ").unwrap();
    assert!(holds(&place, &old()) && holds(Path::new(left), &new()));
}
