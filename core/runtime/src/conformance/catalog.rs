//! All tests, in the order they are run.

use super::bench::Bench;
use super::{Tested, driver, exporter, faults, file, keys, life, scan, scrub, transform};

/// What a test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The library, before its components are known.
    Library,
    /// Every component.
    Component,
    /// Components of this kind: the word of the kind.
    Kind(&'static str),
}

/// One test.
pub(super) struct Test {
    /// Its name.
    pub(super) name: &'static str,
    /// What it is about.
    pub(super) subject: Subject,
    /// The test that must pass before this one makes sense.
    pub(super) after: Option<&'static str>,
    /// What it does.
    pub(super) run: fn(&mut Bench<'_>) -> Tested,
}

/// Stands for the test of a component's work, by its kind.
pub(super) const WORK: &str = "work";

impl Test {
    /// Whether it is a test for a component of this kind.
    pub(super) fn is_for(&self, kind: &str) -> bool {
        match self.subject {
            Subject::Library => false,
            Subject::Component => true,
            Subject::Kind(own) => own == kind,
        }
    }
}

/// The test that loads the library and lists its components.
pub(super) const LOAD: &str = "scan.load";

const fn test(
    name: &'static str,
    subject: Subject,
    after: Option<&'static str>,
    run: fn(&mut Bench<'_>) -> Tested,
) -> Test {
    Test {
        name,
        subject,
        after,
        run,
    }
}

const DRIVER: Subject = Subject::Kind("driver");
const EXPORTER: Subject = Subject::Kind("exporter");
const TRANSFORM: Subject = Subject::Kind("transform");

/// A driver that reads its meter when nobody disturbs it.
const READS: Option<&str> = Some("driver.read");
/// An exporter that delivers.
const WRITES: Option<&str> = Some("exporter.write");
/// A transform that can be applied.
const APPLIES: Option<&str> = Some("transform.apply");
/// Whichever of these its kind has.
const WORKS: Option<&str> = Some(WORK);
/// A library that can be loaded.
const LOADS: Option<&str> = Some(LOAD);

/// The tests.
#[rustfmt::skip]
pub(super) const TESTS: &[Test] = &[
    test("file.entry", Subject::Library, None, file::entry),
    test("file.undefined", Subject::Library, None, file::undefined),
    test("file.needs", Subject::Library, None, file::needs),
    test("file.stack", Subject::Library, None, file::stack),
    test(LOAD, Subject::Library, None, scan::load),
    test("scan.components", Subject::Library, LOADS, scan::components),
    test("scan.extensions", Subject::Library, LOADS, scan::extensions),
    test("scan.quiet", Subject::Library, LOADS, scan::quiet),
    test("scan.fast", Subject::Library, LOADS, scan::fast),
    test("keys.schema", Subject::Component, None, keys::schema),
    test("keys.refused", Subject::Component, None, keys::refused),
    test("keys.random", Subject::Component, None, keys::random),
    test("driver.info", DRIVER, None, driver::info),
    test("driver.read", DRIVER, None, driver::read),
    test("driver.again", DRIVER, READS, driver::again),
    test("driver.early", DRIVER, READS, driver::early),
    test("driver.cancel", DRIVER, READS, driver::cancel),
    test("driver.lost", DRIVER, READS, faults::lost),
    test("driver.silent", DRIVER, READS, faults::silent),
    test("driver.broken", DRIVER, READS, faults::broken),
    test("driver.damaged", DRIVER, READS, faults::damaged),
    test("driver.clock", DRIVER, None, driver::clock),
    test("driver.erase", DRIVER, READS, driver::erase),
    test("driver.scrub", DRIVER, READS, scrub::scrub),
    test("exporter.write", EXPORTER, None, exporter::write),
    test("exporter.consumes", EXPORTER, None, exporter::consumes),
    test("exporter.abort", EXPORTER, WRITES, exporter::abort),
    test("exporter.failing", EXPORTER, None, exporter::failing),
    test("exporter.cancel", EXPORTER, None, exporter::cancel),
    test("exporter.again", EXPORTER, WRITES, exporter::again),
    test("exporter.wants", EXPORTER, None, exporter::wants),
    test("exporter.check", EXPORTER, None, exporter::check),
    test("exporter.preview", EXPORTER, WRITES, exporter::preview),
    test("transform.apply", TRANSFORM, None, transform::apply),
    test("transform.consumes", TRANSFORM, None, transform::consumes),
    test("transform.failing", TRANSFORM, APPLIES, transform::failing),
    test("transform.early", TRANSFORM, APPLIES, transform::early),
    test("transform.cancel", TRANSFORM, APPLIES, transform::cancel),
    test("life.null", Subject::Component, None, life::null),
    test("life.leaks", Subject::Component, WORKS, life::leaks),
    test("life.together", Subject::Component, WORKS, life::together),
];

/// The test of a name.
pub(super) fn find(name: &str) -> Option<&'static Test> {
    TESTS.iter().find(|test| test.name == name)
}

/// The test that a component must pass before it makes sense to look for subtler mistakes.
pub(super) fn work_of(kind: &str) -> &'static str {
    let all = [
        ("driver", READS),
        ("exporter", WRITES),
        ("transform", APPLIES),
    ];
    let found = all.into_iter().find(|(known, _)| *known == kind);
    found.and_then(|(_, test)| test).unwrap_or(WORK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_comes_after_is_run_before_it() {
        for (at, test) in TESTS.iter().enumerate() {
            let Some(after) = test.after else { continue };
            let names: Vec<&str> = match after {
                WORK => ["driver", "exporter", "transform"].map(work_of).to_vec(),
                name => vec![name],
            };
            for name in names {
                let before = TESTS.iter().position(|other| other.name == name);
                assert!(
                    before.is_some_and(|before| before < at),
                    "{}: {name}",
                    test.name
                );
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<&str> = TESTS.iter().map(|test| test.name).collect();
        assert_eq!(names.len(), TESTS.len());
    }
}
