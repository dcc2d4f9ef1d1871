//! All tests, in the order they are run.

use super::bench::Bench;
use super::{Tested, driver, exporter, faults, file, keys, life, scan, transform};

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
    /// What it does.
    pub(super) run: fn(&mut Bench<'_>) -> Tested,
}

/// The test that loads the library and lists its components.
pub(super) const LOAD: &str = "scan.load";

const fn test(name: &'static str, subject: Subject, run: fn(&mut Bench<'_>) -> Tested) -> Test {
    Test { name, subject, run }
}

const DRIVER: Subject = Subject::Kind("driver");
const EXPORTER: Subject = Subject::Kind("exporter");
const TRANSFORM: Subject = Subject::Kind("transform");

/// The tests.
pub(super) const TESTS: &[Test] = &[
    test("file.entry", Subject::Library, file::entry),
    test("file.undefined", Subject::Library, file::undefined),
    test("file.needs", Subject::Library, file::needs),
    test("file.stack", Subject::Library, file::stack),
    test(LOAD, Subject::Library, scan::load),
    test("scan.components", Subject::Library, scan::components),
    test("scan.extensions", Subject::Library, scan::extensions),
    test("scan.quiet", Subject::Library, scan::quiet),
    test("scan.fast", Subject::Library, scan::fast),
    test("keys.schema", Subject::Component, keys::schema),
    test("keys.refused", Subject::Component, keys::refused),
    test("keys.random", Subject::Component, keys::random),
    test("life.null", Subject::Component, life::null),
    test("life.leaks", Subject::Component, life::leaks),
    test("life.together", Subject::Component, life::together),
    test("driver.info", DRIVER, driver::info),
    test("driver.read", DRIVER, driver::read),
    test("driver.again", DRIVER, driver::again),
    test("driver.early", DRIVER, driver::early),
    test("driver.cancel", DRIVER, driver::cancel),
    test("driver.lost", DRIVER, faults::lost),
    test("driver.silent", DRIVER, faults::silent),
    test("driver.broken", DRIVER, faults::broken),
    test("driver.damaged", DRIVER, faults::damaged),
    test("driver.clock", DRIVER, driver::clock),
    test("driver.erase", DRIVER, driver::erase),
    test("exporter.write", EXPORTER, exporter::write),
    test("exporter.consumes", EXPORTER, exporter::consumes),
    test("exporter.abort", EXPORTER, exporter::abort),
    test("exporter.failing", EXPORTER, exporter::failing),
    test("exporter.cancel", EXPORTER, exporter::cancel),
    test("exporter.again", EXPORTER, exporter::again),
    test("exporter.wants", EXPORTER, exporter::wants),
    test("exporter.check", EXPORTER, exporter::check),
    test("exporter.preview", EXPORTER, exporter::preview),
    test("transform.apply", TRANSFORM, transform::apply),
    test("transform.consumes", TRANSFORM, transform::consumes),
    test("transform.failing", TRANSFORM, transform::failing),
    test("transform.early", TRANSFORM, transform::early),
    test("transform.cancel", TRANSFORM, transform::cancel),
];

/// The test of a name.
pub(super) fn find(name: &str) -> Option<&'static Test> {
    TESTS.iter().find(|test| test.name == name)
}
