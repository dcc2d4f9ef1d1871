//! A kill after every single step, and a reader between any two.

use std::cell::Cell;
use std::rc::Rc;

use super::reader::{Listing, Seen, list, open, read};
use super::*;
use crate::set::disk::steps::{self, Step};

/// A data set with two small files in each of two partitions.
fn begun(keys: &[Key]) -> Home {
    let home = Home::new(keys);
    for days in [[0, 400], [1, 401]] {
        home.run(&rows("A", Some("anna"), days), false).unwrap();
    }
    home
}

/// The same data set once more.
fn copy(home: &Home) -> Home {
    let copy = Home::new(&home.keys);
    for (name, _, _, bytes) in home.listing() {
        let file = copy.folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    copy
}

fn before() -> Vec<Row> {
    sorted(rows("A", Some("anna"), [0, 1, 400, 401]))
}

/// What the next run brings.
fn brought() -> Vec<Row> {
    [
        rows("A", Some("anna"), [0, 1, 2, 402]),
        rows("B", None, [2]),
    ]
    .concat()
}

fn after() -> Vec<Row> {
    let new = [rows("A", Some("anna"), [2, 402]), rows("B", None, [2])];
    sorted([before(), new.concat()].concat())
}

/// Every reading of the least, none that is not of the most, and none twice.
fn between(seen: &[Row], least: &[Row], most: &[Row]) -> bool {
    seen.windows(2).all(|two| two[0] != two[1])
        && least.iter().all(|row| seen.contains(row))
        && seen.iter().all(|row| most.contains(row))
}

/// How many steps work takes, with readers at each of them: one that lists and reads; one that reads what it has
/// listed a step before; and those that began to list at any step since the last wait and list to the end now.
fn steps_of(home: &Home, least: &[Row], most: &[Row], work: impl FnOnce()) -> usize {
    let steps = Rc::new(Cell::new(0));
    let (count, root) = (steps.clone(), home.root());
    let (least, most) = (least.to_vec(), most.to_vec());
    let mut listed = list(&root);
    let mut begun = Vec::new();
    steps::watched(
        move |step| {
            count.set(count.get() + 1);
            let check = |who: &str, seen: Seen| match seen {
                Seen::Whole(seen) => {
                    let whole = between(&seen, &least, &most);
                    assert!(whole, "{who} at step {}: {seen:?}", count.get());
                }
                // What was listed before may be gone, and the reader is told so.
                Seen::Gone => assert_ne!(who, "quick"),
            };
            check("quick", read(&root));
            check("slow", open(&root, &listed));
            listed = list(&root);
            let lists: BTreeSet<_> = begun.iter().map(Listing::end).collect();
            for list in lists.iter().filter(|list| **list != listed) {
                check("slowest", open(&root, list));
            }
            if step == Step::Wait {
                begun.clear();
            }
            begun.push(Listing::begin(&root));
            true
        },
        work,
    );
    steps.get()
}

/// Kills work at every step, each time with a new data set, looks, and lets the next run complete it.
fn killed_everywhere(keys: &[Key], least: &[Row], most: &[Row], work: impl Fn(&Home) -> bool) {
    let begun = begun(keys);
    let home = copy(&begun);
    let steps = steps_of(&home, least, most, || assert!(work(&home)));
    assert_eq!(home.seen(), most);
    assert!(steps > 10, "{steps}");
    for last in 0..steps {
        let home = copy(&begun);
        let mut left = last;
        let alive = move |_| {
            left = left.saturating_sub(1);
            left > 0
        };
        steps::watched(alive, || work(&home));
        let seen = home.seen();
        assert!(
            between(&seen, least, most),
            "killed at {last} of {steps}: {seen:?}"
        );
        assert!(work(&home), "the run after one killed at {last}");
        assert_eq!(home.seen(), most, "after one killed at {last}");
        assert!(
            home.names().iter().all(|name| !name.starts_with('.')),
            "{:?}",
            home.names()
        );
    }
}

#[test]
fn a_killed_run_has_added_a_part_and_the_next_one_the_rest() {
    for keys in [&[][..], &[Key::Person, Key::Year]] {
        killed_everywhere(keys, &before(), &after(), |home| {
            home.run(&brought(), false).is_ok()
        });
    }
}

#[test]
fn a_killed_merge_neither_loses_nor_doubles_a_reading() {
    for keys in [&[][..], &[Key::Person, Key::Year]] {
        killed_everywhere(keys, &before(), &before(), |home| {
            home.compact().is_ok_and(|_| {
                let partitions = if keys.is_empty() { 1 } else { 2 };
                let types = usize::from(keys.contains(&Key::Person));
                home.count() == partitions + types
            })
        });
    }
}

#[test]
fn a_killed_run_that_merges_is_completed() {
    for keys in [&[][..], &[Key::Year]] {
        killed_everywhere(keys, &before(), &after(), |home| {
            home.run(&brought(), true).is_ok()
        });
    }
}

#[test]
fn a_folder_whose_note_cannot_be_read_stays_where_it_is() {
    let home = begun(&[]);
    let staging = home.folder.path().join(".lake.glucopipe");
    let (swap, note) = (staging.join("1.swap"), staging.join("1.json"));
    fs::create_dir_all(&swap).unwrap();
    let file = &folder::files(&home.root()).unwrap()[0];
    fs::copy(file.path(&home.root()), swap.join("merged.parquet")).unwrap();
    for damage in ["", "{\"partition\":[],\"merged\":[\"mer", "{}"] {
        fs::write(&note, damage).unwrap();
        let error = home.compact().unwrap_err();
        assert_eq!(error.status, Status::Io, "{error}");
        assert!(error.message.contains("1.swap"), "{error}");
        assert_eq!((home.seen(), home.count()), (before(), 2));
        assert!(swap.join("merged.parquet").exists());
    }
    // A note that cannot be read at all.
    fs::remove_file(&note).unwrap();
    fs::create_dir(&note).unwrap();
    home.compact().unwrap_err();
    assert_eq!((home.seen(), home.count()), (before(), 2));

    // Half a note is older than its folder.
    fs::remove_dir(&note).unwrap();
    fs::write(&note, "{").unwrap();
    fs::remove_dir_all(&swap).unwrap();
    home.compact().unwrap();
    assert_eq!((home.seen(), home.count()), (before(), 1));
    assert!(!staging.exists());
}

#[test]
fn what_others_put_there_at_the_last_moment_is_put_back() {
    let home = begun(&[]);
    let (stray, swapped) = (home.root().join("stray.txt"), Rc::new(Cell::new(false)));
    let (file, done) = (stray.clone(), swapped.clone());
    let staging = home.folder.path().join(".lake.glucopipe/2.swap");
    let merged = steps::watched(
        move |_| {
            // The merged file is in it, and the folders are swapped soon.
            if !done.get() && staging.exists() && fs::read_dir(&staging).unwrap().count() > 0 {
                fs::write(&file, "mine").unwrap();
                done.set(true);
            }
            true
        },
        || home.compact(),
    );
    merged.unwrap();
    assert!(swapped.get());
    assert_eq!(fs::read(stray).unwrap(), b"mine");
    assert_eq!((home.seen(), home.count()), (before(), 1));
}
