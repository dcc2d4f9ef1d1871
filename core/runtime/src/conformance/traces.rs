//! What a plugin leaves in the process: files, threads, memory, and changed settings.

#[cfg(target_os = "linux")]
use std::collections::BTreeSet;

use super::{Stop, skip};
#[cfg(target_os = "linux")]
use crate::plugin::COPY;

/// What of the process grows with what a plugin does not give back.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Traces {
    /// What is open, by where it leads.
    files: Vec<String>,
    threads: u64,
    /// Memory in use, in bytes.
    memory: u64,
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
            threads: line(&status, "Threads").parse().unwrap_or(0),
            memory: resident.unwrap_or(0) * rustix::param::page_size() as u64,
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
        found
    }
}

/// What all of the process goes by, and no plugin is to change.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Settings {
    /// Which signals are caught, ignored and blocked, and the mask of new files, where the system tells it.
    masks: [Option<u64>; 4],
    folder: Option<std::path::PathBuf>,
    environment: BTreeSet<(std::ffi::OsString, std::ffi::OsString)>,
}

/// Names of the masks in the status of a process, the radix of each, and what was done when one is another.
#[cfg(target_os = "linux")]
const MASKS: [(&str, u32, &str); 4] = [
    ("SigCgt", 16, "installed or removed a signal handler"),
    ("SigIgn", 16, "changed which signals are ignored"),
    ("SigBlk", 16, "changed which signals are blocked"),
    ("Umask", 8, "changed the umask"),
];

/// Signals 32 to 34, which the C library keeps for itself and takes with the first thread.
#[cfg(target_os = "linux")]
const OF_THE_C_LIBRARY: u64 = 0b111 << 31;

#[cfg(target_os = "linux")]
impl Settings {
    /// As they are now.
    pub(super) fn take() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            masks: MASKS.map(|(name, radix, _)| {
                let mask = u64::from_str_radix(line(&status, name), radix);
                mask.ok().map(|mask| mask & !OF_THE_C_LIBRARY)
            }),
            folder: std::env::current_dir().ok(),
            environment: std::env::vars_os().collect(),
        }
    }

    /// What is different from before, in words.
    pub(super) fn since(&self, before: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let masks = before.masks.iter().zip(&self.masks);
        for ((_, radix, what), (old, new)) in MASKS.iter().zip(masks) {
            if let (Some(old), Some(new)) = (old, new)
                && old != new
            {
                let shown = |mask: &u64| match radix {
                    8 => format!("{mask:04o}"),
                    _ => format!("{mask:016x}"),
                };
                let (old, new) = (shown(old), shown(new));
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

/// The value of a line of the status of a process.
#[cfg(target_os = "linux")]
fn line<'a>(status: &'a str, name: &str) -> &'a str {
    let lines = status.lines().filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(key, _)| *key == name);
    found.next().map_or("", |(_, value)| value.trim())
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

/// Elsewhere there is nothing to look at.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Settings;

#[cfg(not(target_os = "linux"))]
impl Settings {
    pub(super) fn take() -> Self {
        Self
    }

    pub(super) fn since(&self, _: &Self) -> Vec<String> {
        Vec::new()
    }
}
