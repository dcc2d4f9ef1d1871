//! What a plugin leaves in the process: files, threads, memory, signal handlers.

#[cfg(target_os = "linux")]
use std::collections::BTreeSet;

use super::{Stop, skip};
#[cfg(target_os = "linux")]
use crate::plugin::COPY;

/// The state of the process that a plugin is not to change.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Traces {
    /// What is open, by where it leads.
    files: Vec<String>,
    threads: u64,
    /// Memory in use, in bytes.
    memory: u64,
    /// Masks of signals that are caught and ignored, and the mask of new files.
    masks: Vec<(&'static str, String)>,
    folder: String,
    environment: BTreeSet<(std::ffi::OsString, std::ffi::OsString)>,
}

#[cfg(target_os = "linux")]
impl Traces {
    /// The state now.
    pub(super) fn take() -> Result<Self, Stop> {
        let read = |name: &str| {
            let path = format!("/proc/self/{name}");
            std::fs::read_to_string(&path).or_else(|error| skip(format!("{path}: {error}")))
        };
        let status = read("status")?;
        let line = |name: &str| {
            let lines = status.lines().filter_map(|line| line.split_once(':'));
            let mut found = lines.filter(|(key, _)| *key == name);
            found
                .next()
                .map_or("", |(_, value)| value.trim())
                .to_owned()
        };
        let pages = read("statm")?;
        let resident = pages
            .split(' ')
            .nth(1)
            .and_then(|pages| pages.parse::<u64>().ok());
        let entries = std::fs::read_dir("/proc/self/fd");
        let entries = entries.or_else(|error| skip(format!("/proc/self/fd: {error}")))?;
        let targets = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        let mut files: Vec<String> = targets
            .map(|target| target.display().to_string())
            // The folder that is being listed.
            .filter(|target| !(target.starts_with("/proc/") && target.ends_with("/fd")))
            .collect();
        files.sort();
        Ok(Self {
            files,
            threads: line("Threads").parse().unwrap_or(0),
            memory: resident.unwrap_or(0) * rustix::param::page_size() as u64,
            masks: ["SigCgt", "SigIgn", "SigBlk", "Umask"]
                .map(|name| (name, line(name)))
                .to_vec(),
            folder: std::env::current_dir().map_or_else(
                |error| error.to_string(),
                |folder| folder.display().to_string(),
            ),
            environment: std::env::vars_os().collect(),
        })
    }

    /// Bytes in use beyond what was in use before.
    pub(super) fn memory_since(&self, before: &Self) -> u64 {
        self.memory.saturating_sub(before.memory)
    }

    /// What is different from before, in words; `allowed` is a file that the host itself keeps open.
    pub(super) fn since(&self, before: &Self, allowed: Option<&std::path::Path>) -> Vec<String> {
        let mut found = Vec::new();
        let allowed = allowed.map(|path| path.display().to_string());
        // A library that has a manifest is loaded from a copy in memory.
        let copy = format!("/memfd:{COPY}");
        let mut known = before.files.clone();
        for file in &self.files {
            if let Some(at) = known.iter().position(|one| one == file) {
                known.swap_remove(at);
            } else if allowed.as_ref() != Some(file) && !file.starts_with(&copy) {
                found.push(format!("it left a file open: {}", kind_of(file)));
            }
        }
        if !known.is_empty() {
            found.push("it closed a file of the host".to_owned());
        }
        if self.threads > before.threads {
            let more = self.threads - before.threads;
            found.push(format!("it left threads running: {more}"));
        }
        for ((name, old), (_, new)) in before.masks.iter().zip(&self.masks) {
            if old != new {
                let what = match *name {
                    "SigCgt" => "installed or removed a signal handler",
                    "SigIgn" => "changed which signals are ignored",
                    "SigBlk" => "changed which signals are blocked",
                    _ => "changed the umask",
                };
                found.push(format!("it {what} ({old} before, {new} now)"));
            }
        }
        if self.folder != before.folder {
            found.push("it changed the working folder".to_owned());
        }
        if self.environment != before.environment {
            found.push("it changed the environment".to_owned());
        }
        found
    }
}

/// A descriptor's target without the numbers that are different each time.
#[cfg(target_os = "linux")]
fn kind_of(target: &str) -> &str {
    match target.split_once(":[") {
        Some((kind, _)) => kind,
        None => target,
    }
}

/// Elsewhere there is nothing to look at.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Traces;

#[cfg(not(target_os = "linux"))]
impl Traces {
    pub(super) fn take() -> Result<Self, Stop> {
        skip("files, threads and memory of the process are looked at on Linux only")
    }

    pub(super) fn memory_since(&self, _: &Self) -> u64 {
        0
    }

    pub(super) fn since(&self, _: &Self, _: Option<&std::path::Path>) -> Vec<String> {
        Vec::new()
    }
}
