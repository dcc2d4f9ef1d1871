//! What a site keeps, and under which key: the part that surprises uploaders.
//!
//! | | key | on a match |
//! |---|---|---|
//! | API 1 entry | `sysTime` and `type` alone | 15.0.7 merges, 15.0.6 replaces |
//! | API 1 treatment | 15.0.7 `identifier`, else `created_at` and `eventType`; 15.0.6 the latter alone | replaces |
//! | API 3 | `identifier`, else instant and type among documents without one | replaces, needs `update` |

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset, NaiveDateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::{NOW_MS, Settings};

/// A document.
pub type Document = Map<String, Value>;

/// The first instant that API 3 takes for one; anything earlier is read as seconds.
const YEAR_2000_MS: i64 = 946_684_800_000;
/// Fields that API 3 never changes.
const FIXED: [&str; 5] = ["date", "utcOffset", "eventType", "device", "app"];

/// The database.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) entries: Table,
    pub(super) treatments: Table,
    last_id: u64,
}

/// The keys that documents are found by.
const KEYS: [&[&str]; 4] = [
    &["sysTime", "type"],
    &["created_at", "eventType"],
    &["identifier"],
    &["date", "type"],
];

/// Documents of one kind, with an index for each key.
#[derive(Debug, Default)]
pub(super) struct Table {
    documents: Vec<Document>,
    index: HashMap<String, Vec<usize>>,
}

/// A key as one text.
fn key_text(key: &[&str], document: &Document) -> Option<String> {
    let values = key
        .iter()
        .map(|field| Some(format!("{field}={}", document.get(*field)?)));
    values
        .collect::<Option<Vec<_>>>()
        .map(|values| values.join(" "))
}

impl Table {
    /// The documents, in the order they came.
    pub(super) fn all(&self) -> &[Document] {
        &self.documents
    }

    /// The first document with the same key, if it is one that fits.
    fn find(&self, key: &[&str], like: &Document, fits: fn(&Document) -> bool) -> Option<usize> {
        let at = self.index.get(&key_text(key, like)?)?;
        at.iter().copied().find(|at| fits(&self.documents[*at]))
    }

    fn add(&mut self, document: Document) {
        let at = self.documents.len();
        for text in KEYS.iter().filter_map(|key| key_text(key, &document)) {
            self.index.entry(text).or_default().push(at);
        }
        self.documents.push(document);
    }

    /// Changes what is kept; keys may change with it.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Vec<Document>)) {
        let mut documents = std::mem::take(&mut self.documents);
        change(&mut documents);
        self.index.clear();
        for document in documents {
            self.add(document);
        }
    }
}

/// What API 3 did with a document.
pub(super) enum Kept {
    Created,
    Replaced,
    /// 400: the field is never changed.
    Fixed(&'static str),
    /// 403.
    NoUpdate,
}

fn text<'a>(document: &'a Document, key: &str) -> Option<&'a str> {
    document.get(key).and_then(Value::as_str)
}

/// An instant of a text: with its offset, or as UTC without.
fn parsed(text: &str) -> Option<DateTime<FixedOffset>> {
    let naive = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok();
    let with_offset = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    with_offset
        .ok()
        .or_else(|| Some(naive()?.and_utc().fixed_offset()))
}

fn at(ms: i64) -> DateTime<FixedOffset> {
    DateTime::from_timestamp_millis(ms)
        .unwrap_or_default()
        .fixed_offset()
}

fn written(at: DateTime<FixedOffset>) -> String {
    at.with_timezone(&Utc)
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// What the filter against HTML leaves of a text.
fn purified(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let mut pure = String::new();
            let mut is_tag = false;
            for c in text.chars() {
                match c {
                    '<' => is_tag = true,
                    '>' if is_tag => is_tag = false,
                    '&' if !is_tag => pure.push_str("&amp;"),
                    c if !is_tag => pure.push(c),
                    _ => {}
                }
            }
            json!(pure)
        }
        Value::Object(fields) => Value::Object(purified_all(fields)),
        Value::Array(items) => items.iter().map(purified).collect(),
        other => other.clone(),
    }
}

fn purified_all(document: &Document) -> Document {
    document
        .iter()
        .map(|(key, value)| (key.clone(), purified(value)))
        .collect()
}

fn is_old(settings: &Settings) -> bool {
    settings.version != "15.0.7"
}

impl Store {
    fn next_id(&mut self) -> Value {
        self.last_id += 1;
        json!(format!("{:024x}", self.last_id))
    }

    /// Takes an entry by API 1; gives the echo, which has an `_id` when the entry is new.
    pub(super) fn entry(&mut self, settings: &Settings, document: Document) -> Document {
        let mut entry = purified_all(&document);
        let spoken = text(&entry, "dateString").and_then(parsed);
        let number = || entry.get("date").and_then(Value::as_i64).map(at);
        // A date that is neither leaves nothing to find it by.
        let system = match (entry.contains_key("dateString"), entry.contains_key("date")) {
            (true, _) => spoken,
            (false, true) => number(),
            (false, false) => Some(at(NOW_MS)),
        };
        let offset = spoken.map_or(0, |spoken| spoken.offset().local_minus_utc() / 60);
        entry.insert("utcOffset".to_owned(), json!(offset));
        entry.insert("sysTime".to_owned(), json!(system.map(written)));
        if let Some(spoken) = spoken {
            entry.insert("dateString".to_owned(), json!(written(spoken)));
        }
        match self.entries.find(&["sysTime", "type"], &entry, |_| true) {
            Some(at) => {
                let merged = entry.clone();
                let is_old = is_old(settings);
                self.entries.change(|entries| {
                    if is_old {
                        entries[at].retain(|key, _| key == "_id");
                    }
                    entries[at].extend(merged);
                });
            }
            None => {
                entry.insert("_id".to_owned(), self.next_id());
                self.entries.add(entry.clone());
            }
        }
        entry
    }

    /// Takes a treatment by API 1; gives the echo.
    pub(super) fn treatment(&mut self, settings: &Settings, document: Document) -> Document {
        let mut treatment = purified_all(&document);
        // Without a time that can be read it is now, at each try anew.
        let created = text(&treatment, "created_at")
            .and_then(parsed)
            .unwrap_or(at(NOW_MS));
        let offset = created.offset().local_minus_utc() / 60;
        treatment.insert("created_at".to_owned(), json!(written(created)));
        treatment.insert("utcOffset".to_owned(), json!(offset));
        let glucose = treatment.get("glucose").and_then(Value::as_f64);
        if glucose.is_none_or(|glucose| glucose == 0.0) {
            for key in ["glucose", "glucoseType", "units"] {
                treatment.remove(key);
            }
        }
        let by_identifier = !is_old(settings) && treatment.contains_key("identifier");
        let key: &[&str] = match by_identifier {
            true => &["identifier"],
            false => &["created_at", "eventType"],
        };
        match self.treatments.find(key, &treatment, |_| true) {
            Some(at) => {
                let id = self.treatments.documents[at].get("_id").cloned();
                treatment.insert("_id".to_owned(), id.unwrap_or_default());
                let replaced = treatment.clone();
                self.treatments
                    .change(|treatments| treatments[at] = replaced);
            }
            None => {
                treatment.insert("_id".to_owned(), self.next_id());
                self.treatments.add(treatment.clone());
            }
        }
        treatment
    }

    /// Takes a document by API 3.
    pub(super) fn v3(&mut self, is_entry: bool, document: Document, may_update: bool) -> Kept {
        let mut document = purified_all(&document);
        let date = document
            .get("date")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        if date <= YEAR_2000_MS {
            document.insert("date".to_owned(), json!(date * 1000));
        }
        if !is_entry && !document.contains_key("created_at") {
            document.insert("created_at".to_owned(), json!(written(at(date))));
        }
        let twin: &[&str] = match is_entry {
            true => &["date", "type"],
            false => &["created_at", "eventType"],
        };
        let id = self.next_id();
        let table = self.table(is_entry);
        let by_identifier = table.find(&["identifier"], &document, |_| true);
        let is_unnamed = |other: &Document| !other.contains_key("identifier");
        let Some(at) = by_identifier.or_else(|| table.find(twin, &document, is_unnamed)) else {
            document.insert("_id".to_owned(), id);
            table.add(document);
            return Kept::Created;
        };
        if !may_update {
            return Kept::NoUpdate;
        }
        let found = &table.documents[at];
        let is_deleted = found.get("isValid") == Some(&json!(false));
        for field in FIXED {
            let changed = document.contains_key(field) && document.get(field) != found.get(field);
            // What was deleted comes back with whatever it is given.
            if changed && !is_deleted {
                return Kept::Fixed(field);
            }
        }
        let id = found.get("_id").cloned().unwrap_or_default();
        document.insert("_id".to_owned(), id);
        table.change(|documents| documents[at] = document);
        Kept::Replaced
    }

    fn table(&mut self, is_entry: bool) -> &mut Table {
        match is_entry {
            true => &mut self.entries,
            false => &mut self.treatments,
        }
    }

    /// Deletes a document by its own name; gives how many.
    pub(super) fn delete(&mut self, is_entry: bool, id: &str) -> usize {
        let table = self.table(is_entry);
        let before = table.documents.len();
        table.change(|documents| documents.retain(|one| text(one, "_id") != Some(id)));
        before - table.documents.len()
    }

    /// Documents that fit a query, the newest first: ten of the last four days unless asked otherwise.
    pub(super) fn find(&self, is_entry: bool, query: &[(String, String)]) -> Vec<Document> {
        const FOUR_DAYS_MS: i64 = 4 * 86_400_000;
        let (kept, time) = if is_entry {
            (&self.entries, "date")
        } else {
            (&self.treatments, "created_at")
        };
        let count = query.iter().find(|(key, _)| key == "count");
        let count = count
            .and_then(|(_, count)| count.parse().ok())
            .unwrap_or(10);
        let asks_time = query
            .iter()
            .any(|(key, _)| key.starts_with(&format!("find[{time}]")));
        let instant = |value: Option<&Value>| match value? {
            Value::String(text) => parsed(text).map(|at| at.timestamp_millis()),
            value => value.as_i64(),
        };
        let fits = |document: &&Document| {
            let own = instant(document.get(time));
            let recent = own.is_some_and(|own| own >= NOW_MS - FOUR_DAYS_MS);
            let all = query.iter().all(|(key, wanted)| {
                let Some(key) = key.strip_prefix("find[") else {
                    return true;
                };
                let (field, operator) = key.split_once(']').unwrap_or((key, ""));
                let wanted_at = || {
                    wanted
                        .parse()
                        .ok()
                        .or_else(|| Some(parsed(wanted)?.timestamp_millis()))
                };
                match operator {
                    "" => text(document, field) == Some(wanted),
                    "[$gte]" => own
                        .zip(wanted_at())
                        .is_some_and(|(own, wanted)| own >= wanted),
                    "[$lte]" => own
                        .zip(wanted_at())
                        .is_some_and(|(own, wanted)| own <= wanted),
                    _ => false,
                }
            });
            all && (asks_time || recent)
        };
        let mut found: Vec<Document> = kept.all().iter().filter(fits).cloned().collect();
        found.sort_by_key(|document| std::cmp::Reverse(instant(document.get(time))));
        found.truncate(count);
        found
    }
}
