//! Giving sinks what they are to be given: this run's reads, and what the journal has for them.

use std::collections::BTreeSet;
use std::time::Duration;

use arrow::array::RecordBatch;

use super::engine::{Engine, Way};
use super::flow::{Outputs, Say};
use super::known::{Need, digest, upstream};
use super::report::{SourceReport, SourceStatus};
use super::sink::{Delivery, Fate};
use super::source::Came;
use crate::device::Selector;
use crate::host::LogLine;
use crate::journal::{Journal, MeterKey, Recorded, Turn};
use crate::problem::{Code, Problem};
use crate::transform::ReadContext;

/// How long a run waits for another one to have delivered.
const TURN: Duration = Duration::from_secs(600);
/// Level of a warning in the log.
const WARNING: u8 = 2;

/// A read of this run that may be delivered.
pub(super) struct Fresh {
    context: ReadContext,
    readings: RecordBatch,
    /// What the journal made of it; `None` when it is not journalled.
    recorded: Option<Recorded>,
}

impl Engine<'_> {
    /// Commits a read to the journal, before any sink can see it. Gives it back when it may be delivered.
    pub(super) fn take_in(
        &mut self,
        index: usize,
        mut came: Came,
        report: &mut SourceReport,
    ) -> Option<Fresh> {
        // An archive file is as durable as the journal, and much larger.
        let durable = came.session.transport == "file";
        let mut recorded = None;
        if let Some(keep) = self.keep.as_mut().filter(|_| !durable) {
            let source = &self.sources[index];
            let transcript = match &source.selector {
                Selector::Replay(path) => Some(path),
                _ if self.sources.len() == 1 => keep.transcript.as_ref(),
                _ => None,
            };
            came.session.transcript = transcript.and_then(|path| digest(path));
            came.session.source = Some(keep.key(source));
            let done = keep
                .journal
                .record(&came.session, &came.readings, &report.set_aside);
            match done {
                Ok(done) => {
                    report.new = done.new;
                    self.flow
                        .warnings
                        .extend(conflict(&source.name, done.conflicts, keep.journal));
                    recorded = Some(done);
                }
                Err(problem) => {
                    report.new = 0;
                    report.status = SourceStatus::Failed;
                    let kept =
                        "nothing of this read was delivered; the readings are still in the meter";
                    report.error = Some(problem.kept(kept));
                    return None;
                }
            }
        }
        came.usable.then_some(Fresh {
            context: came.context,
            readings: came.readings,
            recorded,
        })
    }

    /// Decides what each sink is to be given, and gives it to those that are served.
    pub(super) fn supply(
        &mut self,
        fresh: Vec<Option<Fresh>>,
        reports: &mut [SourceReport],
        ways: &[Way],
    ) -> (Option<Turn>, Vec<Need>) {
        let meters = self.meters();
        let (turn, mut needs) = self.needs(&fresh, &meters);
        for (index, fresh) in fresh.into_iter().enumerate() {
            let wanted = self.wanted(index, &meters[index], &mut needs);
            let mut now = None;
            if let Some(fresh) = fresh {
                let rows = fresh.readings.num_rows() as u64;
                let (context, readings) = (&fresh.context, fresh.readings);
                let offset = match fresh.recorded {
                    // All of it is new, so what is said of the journal's part is said of this read.
                    Some(recorded)
                        if recorded.new == rows && wanted.contains(&recorded.session) =>
                    {
                        now = Some(recorded.session);
                        None
                    }
                    Some(_) => {
                        self.flow
                            .send(context, readings, Say::Remarks)
                            .clock_offset_s
                    }
                    None => {
                        let outputs = self.flow.send(context, readings, Say::All);
                        self.hand(&outputs, None, &mut needs, ways);
                        outputs.clock_offset_s
                    }
                };
                reports[index].clock_offset_s = offset.or(reports[index].clock_offset_s);
            }
            for session in wanted {
                let say = if now == Some(session) {
                    Say::All
                } else {
                    Say::Counts
                };
                let offset =
                    self.send_stored(index, session, say, &mut reports[index], &mut needs, ways);
                if now == Some(session) {
                    reports[index].clock_offset_s = offset.or(reports[index].clock_offset_s);
                }
            }
        }
        for (sink, need) in self.sinks.iter().zip(&mut needs) {
            // Half of what it is to be given would look like all of it.
            if self
                .flow
                .failed(&upstream(&sink.inputs, &self.flow.transforms))
            {
                need.fate = Fate::Unfed;
            }
        }
        (turn, needs)
    }

    /// The meters of each source.
    fn meters(&self) -> Vec<Result<BTreeSet<MeterKey>, Problem>> {
        let of = |source| match &self.keep {
            Some(keep) => keep.meters(source),
            None => Ok(BTreeSet::new()),
        };
        self.sources.iter().map(of).collect()
    }

    fn needs(
        &mut self,
        fresh: &[Option<Fresh>],
        meters: &[Result<BTreeSet<MeterKey>, Problem>],
    ) -> (Option<Turn>, Vec<Need>) {
        let Some(keep) = &mut self.keep else {
            let fate = |above: &BTreeSet<&str>| {
                let mut sources = self.sources.iter().zip(fresh);
                let fed = sources
                    .any(|(source, fresh)| fresh.is_some() && above.contains(source.name.as_str()));
                if fed { Fate::Serve } else { Fate::Unfed }
            };
            let need = |inputs| Need::fresh(fate(&upstream(inputs, &self.flow.transforms)));
            return (
                None,
                self.sinks.iter().map(|sink| need(&sink.inputs)).collect(),
            );
        };
        let logger = &self.setup.logger;
        let waiting = || {
            logger.log(LogLine {
                level: WARNING,
                target: "journal".to_owned(),
                text: "waiting until another glucopipe has delivered".to_owned(),
            });
        };
        let turn = match keep.journal.turn(&self.setup.cancel, TURN, waiting) {
            Ok(turn) => turn,
            Err(problem) => {
                let stopped = |_| Need::fresh(Fate::Stopped(problem.clone()));
                return (None, self.sinks.iter().map(stopped).collect());
            }
        };
        let mut needs = Vec::with_capacity(self.sinks.len());
        for sink in &self.sinks {
            let above = upstream(&sink.inputs, &self.flow.transforms);
            let (mut all, mut fed, mut durable) = (BTreeSet::new(), false, false);
            let mut unknown = None;
            for ((source, fresh), meters) in self.sources.iter().zip(fresh).zip(meters) {
                if !above.contains(source.name.as_str()) {
                    continue;
                }
                match meters {
                    Ok(meters) => all.extend(meters),
                    Err(problem) => unknown = Some(problem.clone()),
                }
                fed |= fresh.is_some();
                durable |= fresh.as_ref().is_some_and(|fresh| fresh.recorded.is_none());
            }
            let need = match unknown {
                Some(problem) => Err(problem),
                None => keep.need(sink, &all, fed),
            };
            let mut need = need.unwrap_or_else(|problem| Need::fresh(Fate::Stopped(problem)));
            if durable && matches!(need.fate, Fate::NothingNew | Fate::Unfed) {
                need.fate = Fate::Serve;
            }
            needs.push(need);
        }
        (Some(turn), needs)
    }

    /// The journalled sessions of a source that a sink is to be given readings of.
    fn wanted(
        &self,
        index: usize,
        meters: &Result<BTreeSet<MeterKey>, Problem>,
        needs: &mut [Need],
    ) -> Vec<i64> {
        let (Some(keep), Ok(meters)) = (&self.keep, meters) else {
            return Vec::new();
        };
        let meters: Vec<MeterKey> = meters.iter().copied().collect();
        let own = match keep.journal.sessions(&meters) {
            Ok(own) => own,
            Err(problem) => {
                self.stop(index, needs, |_| true, &problem);
                return Vec::new();
            }
        };
        let name = self.sources[index].name.as_str();
        let mut wanted = BTreeSet::new();
        for (sink, need) in self.sinks.iter().zip(needs) {
            let served = matches!(need.fate, Fate::Serve);
            if served && upstream(&sink.inputs, &self.flow.transforms).contains(name) {
                wanted.extend(own.iter().filter(|session| need.sessions.contains(session)));
            }
        }
        wanted.into_iter().collect()
    }

    /// Sends what the journal has of one session; returns the clock offset of that read.
    fn send_stored(
        &mut self,
        index: usize,
        session: i64,
        say: Say,
        report: &mut SourceReport,
        needs: &mut [Need],
        ways: &[Way],
    ) -> Option<i64> {
        let keep = self.keep.as_ref()?;
        let stored = match keep.journal.load(session) {
            Ok(stored) => stored,
            Err(problem) => {
                self.stop(
                    index,
                    needs,
                    |need| need.sessions.contains(&session),
                    &problem,
                );
                return None;
            }
        };
        let context = ReadContext {
            source: self.sources[index].name.clone(),
            device: stored.origin.device,
            run_at_us: Some(self.setup.clock.now().timestamp_micros()),
        };
        if report.status == SourceStatus::Replayed {
            report.read += stored.readings.num_rows() as u64;
            report.driver = stored.origin.driver;
            report.model.clone_from(&context.device.model);
            report.firmware.clone_from(&context.device.firmware);
        }
        let outputs = self.flow.send(&context, stored.readings, say);
        self.hand(&outputs, Some(session), needs, ways);
        outputs.clock_offset_s
    }

    /// Hands what came out of the transforms to the sinks.
    fn hand(&self, outputs: &Outputs, session: Option<i64>, needs: &mut [Need], ways: &[Way]) {
        for ((sink, need), way) in self.sinks.iter().zip(needs).zip(ways) {
            let asked = session.is_none_or(|session| need.sessions.contains(&session));
            if !asked || !matches!(need.fate, Fate::Serve) {
                continue;
            }
            need.rename(&outputs.former_ids);
            for batch in outputs.of(&sink.inputs) {
                let rows = match session {
                    Some(_) => need.rows(batch),
                    None => Ok(batch.clone()),
                };
                match rows {
                    // A snapshot is told that all of what is known is left out.
                    Ok(rows)
                        if rows.num_rows() == 0 && (need.only_pending || session.is_none()) => {}
                    // A sink that is gone has reported why.
                    Ok(rows) => drop(way.send(Delivery::Readings(rows))),
                    Err(error) => {
                        let problem = Problem::error(Code::INTERNAL, "readings cannot be chosen");
                        need.fate = Fate::Stopped(problem.cause(error.message));
                    }
                }
            }
        }
    }

    /// Stops the sinks below a source that would get only a part of what they need.
    fn stop(
        &self,
        index: usize,
        needs: &mut [Need],
        concerned: impl Fn(&Need) -> bool,
        problem: &Problem,
    ) {
        let name = self.sources[index].name.as_str();
        for (sink, need) in self.sinks.iter().zip(needs) {
            let below = upstream(&sink.inputs, &self.flow.transforms).contains(name);
            if below && concerned(need) {
                need.fate = Fate::Stopped(problem.clone());
            }
        }
    }
}

fn conflict(source: &str, count: u64, journal: &Journal) -> Option<Problem> {
    let readings = match count {
        0 => return None,
        1 => "1 reading has".to_owned(),
        count => format!("{count} readings have"),
    };
    let title = format!("{readings} changed in `{source}` since it was first read");
    let problem = Problem::warning(Code::JOURNAL_CONFLICT, title)
        .cause("the meter gave another value, time or marker under the same key")
        .kept("the journal keeps both, and sinks get what was read first")
        .hint(format!(
            "`{}` shows them as `conflicts`",
            journal.command("export")
        ));
    Some(problem)
}
