//! Noting what sinks answered: in the ledger, and for people in `rejected.jsonl`.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::exporter::{CommitReport, Refused};
use serde_json::json;

use super::known::{Keep, Need};
use super::report::SinkReport;
use super::sink::Fate;
use crate::journal::Answer;
use crate::problem::{Code, Problem};

/// What a sink was handed, and what it said to it.
#[derive(Clone, Debug)]
pub struct Handed {
    /// The readings.
    pub readings: RecordBatch,
    /// Its answer; `None` when it took none of them.
    pub answer: Option<CommitReport>,
}

/// Most reasons that a message tells.
const REASONS: usize = 5;

impl Keep<'_> {
    /// Notes what became of a sink's readings, and says in its report how many are left.
    pub(super) fn settle(
        &mut self,
        now: DateTime<Utc>,
        need: &Need,
        report: &mut SinkReport,
    ) -> Vec<Problem> {
        let Some(Handed { readings, answer }) = report.handed.take() else {
            if report.has_failed() {
                report.pending = need.pending.readings.len() as u64;
            } else if report.error.is_none() && matches!(need.fate, Fate::Serve) {
                self.leave_out(need, &[], report);
            }
            return Vec::new();
        };
        let Ok(ids) = Texts::of(&readings, "reading_id") else {
            return Vec::new();
        };
        let keys = |row: usize| need.key(ids.get(row)).map(|key| (row, key));
        let keys: Vec<(usize, i64)> = (0..ids.len()).filter_map(keys).collect();
        self.leave_out(need, &keys, report);
        let Some(answer) = answer else {
            report.pending = keys.len() as u64;
            return Vec::new();
        };
        let reasons: HashMap<&str, &str> = answer
            .refused
            .iter()
            .map(|Refused { reading_id, reason }| (reading_id.as_str(), reason.as_str()))
            .collect();
        let left: HashSet<&str> = answer.pending.iter().map(String::as_str).collect();
        let mut answers = Vec::with_capacity(keys.len());
        let mut rows = HashMap::new();
        for (row, key) in keys {
            let id = ids.get(row).unwrap_or_default();
            if left.contains(id) {
                continue;
            }
            rows.insert(key, row);
            answers.push(Answer {
                reading: key,
                refused: reasons.get(id).map(|&reason| reason.to_owned()),
            });
        }
        report.pending = left.len() as u64;
        let Some(sink) = need.sink else {
            return Vec::new();
        };
        match self
            .journal
            .acknowledge(sink, now.timestamp_micros(), &answers)
        {
            Ok(refused) if refused.is_empty() => Vec::new(),
            Ok(refused) => {
                let rows: Vec<usize> = refused.iter().map(|key| rows[key]).collect();
                self.reject(now, report, &readings, &rows, &reasons)
            }
            Err(problem) => {
                // The destination has them; they are offered once more, which it must be able to bear.
                report.pending = answers.len() as u64;
                report.error = Some(problem.kept("the readings were delivered"));
                Vec::new()
            }
        }
    }

    /// Notes what of the readings for a sink did not come through the transforms: all of it was sent.
    fn leave_out(&mut self, need: &Need, came: &[(usize, i64)], report: &mut SinkReport) {
        let Some(sink) = need.sink.filter(|_| need.lasting) else {
            return;
        };
        let came: HashSet<i64> = came.iter().map(|(_, key)| *key).collect();
        let sent = need.pending.readings.values().copied();
        let left_out: Vec<i64> = sent.filter(|key| !came.contains(key)).collect();
        if let Err(problem) = self.journal.leave_out(sink, &left_out) {
            report.error.get_or_insert(problem);
        }
    }

    /// Tells of readings that were refused for good, and writes them beside the journal.
    fn reject(
        &self,
        now: DateTime<Utc>,
        report: &SinkReport,
        readings: &RecordBatch,
        rows: &[usize],
        reasons: &HashMap<&str, &str>,
    ) -> Vec<Problem> {
        let count = rows.len();
        let what = if count == 1 { "reading" } else { "readings" };
        let title = format!("`{}` refused {count} {what} for good", report.name);
        let mut kinds: Vec<&str> = reasons.values().copied().collect();
        kinds.sort_unstable();
        kinds.dedup();
        let warning = kinds.iter().take(REASONS).fold(
            Problem::warning(Code::SINK_REFUSED, title),
            |problem, kind| problem.cause((*kind).to_owned()),
        );
        let Some(file) = self.journal.beside("rejected.jsonl") else {
            return vec![warning];
        };
        let shown = file.display().to_string();
        let lines = self.lines(now, report, readings, rows, reasons);
        let written = crate::journal::private_file(&file).and_then(|mut file| {
            file.write_all(lines.as_bytes())
                .and_then(|()| file.sync_data())
        });
        match written {
            Ok(()) => vec![warning.hint(format!("they are in `{shown}`"))],
            Err(error) => {
                let title = format!("cannot write `{shown}`");
                let problem = Problem::warning(Code::JOURNAL_WRITE, title)
                    .cause(error.to_string())
                    .kept("the journal has the reasons");
                vec![warning, problem]
            }
        }
    }

    fn lines(
        &self,
        now: DateTime<Utc>,
        report: &SinkReport,
        readings: &RecordBatch,
        rows: &[usize],
        reasons: &HashMap<&str, &str>,
    ) -> String {
        let text = |name: &str, row: usize| {
            let texts = Texts::of(readings, name).ok()?;
            texts.get(row).map(str::to_owned)
        };
        let time = |row: usize| {
            let times: &arrow::array::TimestampMicrosecondArray =
                typed(readings, "local_time").ok()?;
            Some(
                times
                    .value_as_datetime(row)?
                    .to_string()
                    .replacen(' ', "T", 1),
            )
        };
        let mut lines = String::new();
        for &row in rows {
            let id = text("reading_id", row);
            let reason = id.as_deref().and_then(|id| reasons.get(id));
            let line = json!({
                "refused_at": now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                "pipeline": self.pipeline,
                "sink": report.name,
                "exporter": report.exporter,
                "reason": reason,
                "reading_id": id,
                "local_time": time(row),
                "kind": text("kind", row),
                "raw_value": text("raw_value", row),
                "raw_unit": text("raw_unit", row),
                "record_key": text("record_key", row),
                "device_serial": text("device_serial", row),
            });
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        lines
    }
}
