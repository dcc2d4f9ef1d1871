//! A sink: gathers finger-sticks, brings them to the site, and accounts for every reading.

use glucopipe_sdk::exporter::{CommitReport, Preview, Refused, Sink};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Level, Op, Result};

use crate::config::Settings;
use crate::document::{Collection, Stick};
use crate::intake::{Held, Intake};
use crate::session::{LOG, Session, Version};
use crate::trouble::{Kind, Trouble};
use crate::upload::{Fate, Outlook, Upload};

/// Readings on their way to a site.
pub struct Uploads {
    settings: Settings,
    intake: Intake,
}

impl Uploads {
    pub(crate) fn new(op: &Op, settings: Settings) -> Self {
        let now_ms = op.utc_us().div_euclid(1000);
        Self {
            intake: Intake::new(settings.out_of_range, now_ms),
            settings,
        }
    }

    /// What a commit would do, as far as the site says today.
    pub(crate) fn preview(mut self, op: &Op) -> Result<Preview> {
        let mut work = Work::new(&mut self.intake);
        let mut lines = Vec::new();
        if !work.sticks.is_empty() {
            let mut session = Session::open(op, &self.settings)?;
            for &collection in session.collections() {
                let mut upload = work.upload(&mut session, collection, &|_| {});
                let outlook = upload.preview()?;
                let fates = upload.into_fates();
                work.settle(&fates);
                lines.extend(sentences(&session, collection, &outlook));
            }
        }
        let report = work.report(&self.settings, &self.intake, None);
        lines.extend(remarks(&report, &self.intake));
        Ok(Preview { report, lines })
    }
}

impl Sink for Uploads {
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()> {
        while let Some(batch) = readings.next_batch()? {
            op.check()?;
            self.intake.take(&batch)?;
        }
        if self.settings.allow_several_persons {
            return Ok(());
        }
        self.intake.expect_one_person()
    }

    fn commit(&mut self, op: &Op) -> Result<CommitReport> {
        if let Some(words) = self.intake.left_out_words() {
            op.log(Level::Info, LOG, &words);
        }
        let mut work = Work::new(&mut self.intake);
        let mut sent_bytes = 0;
        let mut trouble = None;
        if !work.sticks.is_empty() {
            let mut session = Session::open(op, &self.settings)?;
            let total = (work.sticks.len() * session.collections().len()) as u64;
            let mut before = 0;
            for &collection in session.collections() {
                let progress = |done: usize| op.progress(before + done as u64, total, "uploading");
                let mut upload = work.upload(&mut session, collection, &progress);
                let outcome = upload.run();
                let fates = upload.into_fates();
                work.settle(&fates);
                before += work.sticks.len() as u64;
                if let Err(stopped) = outcome {
                    trouble = Some(stopped);
                    break;
                }
            }
            if trouble.is_some() {
                work.leave_open(session.collections());
            }
            sent_bytes = session.sent_bytes;
            let line = format!(
                "{} requests, {sent_bytes} bytes of documents",
                session.requests
            );
            op.log(Level::Debug, LOG, &line);
        }
        if let Some(trouble) = trouble.take_if(|_| !work.arrived()) {
            return Err(trouble.into());
        }
        let mut report = work.report(&self.settings, &self.intake, trouble);
        report.bytes = sent_bytes;
        Ok(report)
    }
}

/// Sticks, oldest first, and what became of each in all collections so far.
struct Work {
    sticks: Vec<Stick>,
    clock_off_ms: i64,
    fates: Vec<Option<Fate>>,
    collections_done: usize,
}

impl Work {
    fn new(intake: &mut Intake) -> Self {
        let mut sticks = std::mem::take(&mut intake.sticks);
        sticks.sort_by(|a, b| (a.second_ms, &a.reading_id).cmp(&(b.second_ms, &b.reading_id)));
        Self {
            fates: vec![None; sticks.len()],
            sticks,
            clock_off_ms: intake.clock_off_ms,
            collections_done: 0,
        }
    }

    fn upload<'s, 'a>(
        &'s self,
        session: &'s mut Session<'a>,
        collection: Collection,
        progress: &'s dyn Fn(usize),
    ) -> Upload<'s, 'a> {
        Upload::new(
            session,
            collection,
            &self.sticks,
            self.clock_off_ms,
            progress,
        )
    }

    /// Takes over what became of each stick in a further collection.
    fn settle(&mut self, fates: &[Fate]) {
        for (sum, fate) in self.fates.iter_mut().zip(fates) {
            *sum = Some(match sum.take() {
                Some(before) => worse(before, fate.clone()),
                None => fate.clone(),
            });
        }
        self.collections_done += 1;
    }

    /// After a stop nothing is done before all its collections are.
    fn leave_open(&mut self, collections: &[Collection]) {
        if self.collections_done < collections.len() {
            for fate in self.fates.iter_mut().flatten() {
                if !matches!(fate, Fate::Refused(_)) {
                    *fate = Fate::Open;
                }
            }
        }
    }

    /// Whether anything is at the site.
    fn arrived(&self) -> bool {
        let mut fates = self.fates.iter().flatten();
        fates.any(|fate| matches!(fate, Fate::Delivered | Fate::There))
    }

    fn report(
        self,
        settings: &Settings,
        intake: &Intake,
        trouble: Option<Trouble>,
    ) -> CommitReport {
        let mut report = CommitReport {
            left_out: intake.left_out.values().sum(),
            refused: intake.refused.clone(),
            pending: intake.held.iter().map(|(_, id)| id.clone()).collect(),
            ..CommitReport::default()
        };
        if !self.sticks.is_empty() {
            report.targets.push(settings.site.label().to_owned());
        }
        for (stick, fate) in self.sticks.into_iter().zip(self.fates) {
            let reading_id = stick.reading_id;
            match fate {
                Some(Fate::Delivered) => report.delivered += 1,
                Some(Fate::There) => report.already_there += 1,
                Some(Fate::Refused(reason)) => report.refused.push(Refused { reading_id, reason }),
                Some(Fate::Open) | None => report.pending.push(reading_id),
            }
        }
        report.rejected = report.refused.len() as u64;
        // The host knows why it cancelled.
        let stopped = trouble.filter(|trouble| trouble.kind != Kind::Cancelled);
        let stopped = stopped.map(|trouble| trouble.text);
        let unresolved = intake.held_words(|held| held == Held::Unresolved);
        let problems: Vec<String> = stopped.into_iter().chain(unresolved).collect();
        report.problem = (!problems.is_empty()).then(|| problems.join("; "));
        report.held = intake.held_words(|held| held == Held::Future);
        report
    }
}

/// What became of a stick that goes into two collections.
fn worse(one: Fate, other: Fate) -> Fate {
    let rank = |fate: &Fate| match fate {
        Fate::Refused(_) => 3,
        Fate::Open => 2,
        Fate::Delivered => 1,
        Fate::There => 0,
    };
    if rank(&other) > rank(&one) {
        other
    } else {
        one
    }
}

fn sentences(session: &Session<'_>, collection: Collection, outlook: &Outlook) -> Vec<String> {
    let site = session.site();
    let (one, many) = match collection {
        Collection::Entries => ("entry", "entries"),
        Collection::Treatments => ("treatment", "treatments"),
    };
    let documents = count(outlook.documents, one, many);
    let api = match session.version {
        Version::V1 => 1,
        Version::V3 => 3,
    };
    let mut lines = Vec::new();
    if outlook.documents > 0 {
        let requests = count(outlook.requests, "request", "requests");
        lines.push(format!(
            "send {documents} in {requests} to {site}, API {api}"
        ));
    }
    if outlook.deletions > 0 {
        let deleted = count(outlook.deletions, one, many);
        lines.push(format!(
            "delete {deleted} at {site}: readings that got another time"
        ));
    }
    if lines.is_empty() {
        lines.push(format!("send no {many} to {site}"));
    }
    lines
}

/// What a report says of readings that are not sent.
fn remarks(report: &CommitReport, intake: &Intake) -> Vec<String> {
    let mut lines = Vec::new();
    if report.already_there > 0 {
        let there = usize::try_from(report.already_there).unwrap_or(usize::MAX);
        lines.push(format!(
            "{} there already",
            count(there, "reading is", "readings are")
        ));
    }
    let mut reasons = std::collections::BTreeMap::new();
    for refused in &report.refused {
        *reasons.entry(refused.reason.as_str()).or_insert(0) += 1;
    }
    for (reason, readings) in reasons {
        lines.push(format!(
            "{} not sent: {reason}",
            count(readings, "reading", "readings")
        ));
    }
    lines.extend(intake.held_words(|_| true));
    lines.extend(intake.left_out_words());
    lines
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
