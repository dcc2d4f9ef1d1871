//! Drivers that scrub: what comes out of a conversation is the same one of somebody else.

use super::bench::Bench;
use super::driver::read_all;
use super::{Tested, fail, skip};
use crate::cancel::Cancel;
use crate::device::{Selector, read_transcript};
use crate::host::Logger;
use crate::run::engine::RunSetup;
use crate::run::scrub::{can_scrub, scrub_with};
use crate::transport::record::Recorder;

/// Name of the conversation that is recorded for it.
const SESSION: &str = "session.transcript";

/// A conversation is scrubbed as `glucopipe transcript scrub` does it.
pub(super) fn scrub(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let setup = RunSetup {
        cancel: Cancel::new(),
        clock: bench.clock.clone(),
        logger: Logger::silent(),
        progress: None,
        recorder: None,
        dry_run: true,
    };
    if !can_scrub(&component, &setup) {
        return skip("it has no `glucopipe.scrub/1` for this driver");
    }
    let recorded = bench.request.device.as_deref().map(Selector::parse);
    let path = match recorded {
        Some(Ok(Selector::Replay(path))) => path,
        _ => {
            bench.step("recording a read");
            let path = bench.request.note(SESSION);
            let mut device = bench.device(&component)?;
            let recorder = Recorder::create(&path);
            device.record(recorder.map_err(|problem| super::Stop::Fail(problem.title))?);
            let config = bench.config(&component)?;
            let op = bench.operation(Some(device));
            if let Err(error) = read_all(&component, &op, &config, false) {
                return fail(format!("it cannot read: {}", error.message));
            }
            path
        }
    };
    let told = |problem: crate::problem::Problem| {
        super::Stop::Fail(format!("{}: {}", problem.title, problem.causes.join("; ")))
    };
    let transcript = read_transcript(&path).map_err(told)?;
    bench.step("scrubbing");
    scrub_with(
        &component,
        (&path, &transcript),
        Some(bench.request.seed),
        &setup,
    )
    .map_err(told)?;
    Ok(())
}
