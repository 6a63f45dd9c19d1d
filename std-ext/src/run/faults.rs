//! Every change of the disk from the start of a run to its end fails once, by an error and by the end of the process.

use super::config::{Config, RuleName};
use super::folder::{CONFIG, Folder, LOCK, MANIFEST, checkpoint_of, files_of, sha256};
use super::manifest::Manifest;
use super::place::{Claim, Place, Placed, Resumed, growing_of};
use crate::error::Result;
use crate::file;
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
    let names = rules.iter().copied().flat_map(files_of).map(|name| (name, content.as_bytes().to_vec()));
    let files: BTreeMap<_, _> = names.chain([(CONFIG.to_owned(), config())]).collect();
    let digests = files.iter().map(|(name, bytes)| (name.clone(), sha256(bytes))).collect();
    let rules = rules.iter().map(|rule| (*rule, Vec::new())).collect();
    Folder { manifest: Manifest::new(Digest([0; 32]), rules, digests), files }
}

fn config() -> Vec<u8> {
    Config::default().encode().unwrap()
}

fn old() -> Folder {
    run("old", &[RuleName::Gd, RuleName::Slo])
}

fn new() -> Folder {
    run("new", &[RuleName::Gd])
}

/// What stands in a folder before the first step of the run.
fn start_of(run: &Folder) -> Folder {
    let mut start = run.clone();
    start.files.retain(|name, _| name == CONFIG || name.ends_with("initial.safetensors"));
    start.manifest.unfinished = true;
    start
}

/// All that a run does to the disk: its start, two checkpoints, its end.
fn train(claim: Claim, run: &Folder) -> Result<Placed> {
    go_on(claim.start(&start_of(run))?, run)
}

fn go_on(place: Place, run: &Folder) -> Result<Placed> {
    for state in ["first", "second"] {
        file::replace(place.path().join(checkpoint_of(RuleName::Gd)), state.as_bytes())?;
    }
    place.write(run)?;
    place.finish()
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
    directory.is_dir() && content(directory) == expected(directory, run)
}

fn expected(directory: &Path, run: &Folder) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut expected: BTreeMap<PathBuf, Vec<u8>> =
        run.files.iter().map(|(name, bytes)| (directory.join(name), bytes.clone())).collect();
    expected.insert(directory.join(MANIFEST), run.manifest.encode().unwrap());
    expected
}

/// The same, but for what a finished run may still have.
fn is_whole(directory: &Path, run: &Folder) -> bool {
    let mut found = if directory.is_dir() { content(directory) } else { return false };
    let spare = [directory.join(LOCK), directory.join(checkpoint_of(RuleName::Gd))];
    found.retain(|path, _| !spare.contains(path) && !is_temporary(path));
    found == expected(directory, run)
}

fn is_temporary(path: &Path) -> bool {
    file::is_temporary(path.file_name().unwrap().to_str().unwrap())
}

/// Whether the folder holds the new run, unfinished, with one whole checkpoint or none.
fn can_go_on(directory: &Path) -> bool {
    let read = |name: &str| std::fs::read(directory.join(name)).ok();
    let start = start_of(&new());
    let checkpoint = read(&checkpoint_of(RuleName::Gd)).unwrap_or_else(|| b"first".to_vec());
    read(MANIFEST) == start.manifest.encode().ok()
        && read(CONFIG) == Some(config())
        && [&b"first"[..], b"second"].contains(&checkpoint.as_slice())
}

/// A folder in that state, and the place in it.
fn prepared(before: Before) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("deep/run");
    let named = |place: &Path| Claim::named(place, true).unwrap();
    match before {
        Before::Nothing => {}
        Before::Empty => std::fs::create_dir_all(&place).unwrap(),
        Before::Run => drop(train(named(&place), &old()).unwrap()),
        Before::Link => {
            train(named(&root.path().join("elsewhere/run")), &old()).unwrap();
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

/// Where the new run grows.
fn growing(before: Before, place: &Path) -> PathBuf {
    match before {
        Before::Nothing | Before::Empty => place.to_path_buf(),
        Before::Run | Before::Link => growing_of(&place.canonicalize().unwrap()),
    }
}

/// Whatever change failed: at the place are the old run or the new one or as little as before, and what stands beside it
/// can go on. Then it does, or the run starts anew, and is whole.
fn check(before: Before, place: &Path, context: &str) {
    let growing = growing(before, place);
    let here = match before {
        Before::Run | Before::Link => is_whole(place, &old()) || is_whole(place, &new()),
        Before::Nothing => !place.exists() || is_whole(place, &new()) || can_go_on(place),
        Before::Empty => is_whole(place, &new()) || can_go_on(place) || content(place).is_empty(),
    };
    assert!(here, "{context}: {:?}", content(place).keys());
    let left: Vec<PathBuf> = beside(place).into_iter().filter(|path| !is_temporary(path)).collect();
    assert!(left.iter().all(|path| *path == growing), "{context}: {left:?}");
    let started = [growing.as_path(), place].into_iter().find(|path| can_go_on(path));
    let pending = started.or(Some(growing.as_path()).filter(|growing| is_whole(growing, &new())));
    match pending {
        Some(path) => {
            let Resumed { place, unfinished, .. } = Place::resume(path).unwrap();
            drop(if unfinished { go_on(place, &new()).unwrap() } else { place.finish().unwrap() });
        }
        None => drop(train(Claim::named(place, true).unwrap(), &new()).unwrap()),
    }
    assert!(holds(place, &new()), "{context}: {:?}", content(place).keys());
    let left = beside(place);
    assert!(left.iter().all(|path| is_temporary(path)) && left.len() <= 1, "{context}: {left:?}");
}

#[test]
fn no_error_destroys_a_run_or_leaves_what_cannot_go_on() {
    let mut failures = 0;
    for before in ALL {
        for after in 0.. {
            let (_root, place) = prepared(before);
            let claim = Claim::named(&place, true).unwrap();
            plan(after, Fault::Error);
            let placed = train(claim, &new());
            if !end() {
                assert!(holds(&place, &new()) && beside(&place).is_empty(), "{before:?}");
                break;
            }
            failures += 1;
            let context = format!("{before:?}, change {after}: {placed:?}");
            match &placed {
                // Only a removal may fail without an error; that of an old run is named.
                Ok(placed) => {
                    assert!(is_whole(&place, &new()), "{context}");
                    assert_eq!(beside(&place), placed.left.iter().cloned().collect::<Vec<_>>(), "{context}");
                    continue;
                }
                Err(error) => {
                    let error = error.to_string();
                    let after = |text| error.split_once(text).map(|(_, path)| Path::new(path));
                    if let Some(left) = after("; the run stands whole in ") {
                        assert!(is_whole(left, &new()), "{context}");
                    } else if let Some(left) = after(", the old one in ") {
                        assert!(is_whole(&place, &new()) && is_whole(left, &old()), "{context}");
                        continue;
                    }
                }
            }
            check(before, &place, &context);
        }
    }
    println!("{failures} changes failed by an error");
    assert!(failures > 100);
}

const KILLED: &str = "AGOP_TEST_KILLED";

/// The process that is killed; without the variable it has nothing to do.
#[test]
fn killed() {
    let Ok(plan_text) = std::env::var(KILLED) else { return };
    let mut words = plan_text.splitn(3, ' ');
    let (after, job, place) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    if job == "resume" {
        plan(after.parse().unwrap(), Fault::Kill);
        go_on(Place::resume(Path::new(place)).unwrap().place, &new()).unwrap();
    } else {
        let claim = Claim::named(Path::new(place), true).unwrap();
        plan(after.parse().unwrap(), Fault::Kill);
        train(claim, &new()).unwrap();
    }
    assert!(!end());
}

/// Whether a process that does this job at a place is killed at that change; else it ended well.
fn is_killed(after: usize, job: &str, place: &Path) -> bool {
    let killed = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "run::faults::killed"])
        .env(KILLED, format!("{after} {job} {}", place.display()))
        .output()
        .unwrap();
    assert!(killed.status.success() || killed.status.code().is_none(), "{killed:?}");
    !killed.status.success()
}

#[test]
fn no_kill_destroys_a_run_or_leaves_what_cannot_go_on() {
    let mut kills = 0;
    for before in ALL {
        for after in 0.. {
            let (_root, place) = prepared(before);
            if !is_killed(after, "train", &place) {
                assert!(holds(&place, &new()) && beside(&place).is_empty(), "{before:?}");
                break;
            }
            kills += 1;
            check(before, &place, &format!("{before:?}, killed at change {after}"));
        }
    }
    println!("killed at {kills} changes");
    assert!(kills > 100);
}

#[test]
fn no_kill_while_a_run_goes_on_loses_it() {
    let mut kills = 0;
    for before in [Before::Nothing, Before::Run] {
        for after in 0.. {
            let (_root, place) = prepared(before);
            drop(Claim::named(&place, true).unwrap().start(&start_of(&new())).unwrap());
            if !is_killed(after, "resume", &growing(before, &place)) {
                assert!(holds(&place, &new()) && beside(&place).is_empty(), "{before:?}");
                break;
            }
            kills += 1;
            check(before, &place, &format!("{before:?}, killed at change {after} of going on"));
        }
    }
    println!("killed at {kills} changes");
    assert!(kills > 50);
}

/// Every change of the disk by which a run goes on, too.
#[test]
fn no_error_while_a_run_goes_on_loses_it() {
    let mut failures = 0;
    for before in [Before::Nothing, Before::Run] {
        for after in 0.. {
            let (_root, place) = prepared(before);
            drop(Claim::named(&place, true).unwrap().start(&start_of(&new())).unwrap());
            let growing = growing(before, &place);
            plan(after, Fault::Error);
            let placed = Place::resume(&growing).and_then(|resumed| go_on(resumed.place, &new()));
            if !end() {
                assert!(holds(&place, &new()) && beside(&place).is_empty(), "{before:?}");
                break;
            }
            failures += 1;
            let context = format!("{before:?}, change {after}: {placed:?}");
            if placed.is_ok() || placed.is_err_and(|error| error.to_string().contains(", the old one in ")) {
                assert!(is_whole(&place, &new()), "{context}");
                continue;
            }
            check(before, &place, &context);
        }
    }
    println!("{failures} changes failed by an error");
    assert!(failures > 50);
}

/// Where folders cannot be exchanged in one step, a second step that fails undoes the first.
#[test]
fn an_exchange_by_names_that_fails_changes_nothing() {
    let (root, place) = prepared(Before::Run);
    let missing = root.path().join("deep/run.unfinished");
    assert!(super::exchange::exchange_by_names(&missing, &place).is_err());
    assert!(holds(&place, &old()) && beside(&place).is_empty());
    let other = root.path().join("deep/other");
    train(Claim::named(&other, false).unwrap(), &new()).unwrap();
    super::exchange::exchange_by_names(&other, &place).unwrap();
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
        train(Claim::named(&place, true).unwrap(), &new()).unwrap();
        assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

/// What somebody put into the run meanwhile is not removed, nor is a run that another process started there.
#[test]
fn what_came_in_between_stays() {
    let (root, place) = prepared(Before::Run);
    let claim = Claim::named(&place, true).unwrap();
    std::fs::write(place.join("notes.txt"), "mine").unwrap();
    let placed = train(claim, &new()).unwrap();
    let left = placed.left.unwrap();
    assert_eq!(std::fs::read(left.join("notes.txt")).unwrap(), b"mine");
    assert!(holds(&place, &new()));
    let place = root.path().join("late");
    let claim = Claim::named(&place, false).unwrap();
    train(Claim::named(&place, false).unwrap(), &old()).unwrap();
    let error = claim.start(&start_of(&new())).unwrap_err().to_string();
    assert!(error.starts_with(&place.display().to_string()), "{error}");
    assert!(holds(&place, &old()));
}

/// One process alone writes a run, wherever it grows.
#[test]
fn a_run_that_is_trained_is_left_alone() {
    for before in [Before::Nothing, Before::Run] {
        let (_root, place) = prepared(before);
        let claim = Claim::named(&place, true).unwrap();
        let late = Claim::named(&place, true);
        let trained = claim.start(&start_of(&new())).unwrap();
        let growing = growing(before, &place);
        let refused = |error: crate::error::Error| {
            let error = error.to_string();
            assert!(error.ends_with(": another process trains the run in it"), "{error}");
        };
        refused(Place::resume(&growing).unwrap_err());
        match before {
            Before::Nothing => refused(Claim::named(&place, true).unwrap_err()),
            // The old run is locked by nobody, as it is finished.
            _ => refused(late.unwrap().start(&start_of(&new())).unwrap_err()),
        }
        assert!(can_go_on(&growing));
        go_on(trained, &new()).unwrap();
        assert!(holds(&place, &new()));
    }
}
