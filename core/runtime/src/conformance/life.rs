//! Opening and closing: nothing is left behind, NULL is taken where it may be, and objects do not share state.

use std::ffi::CString;
use std::ptr;
use std::sync::Arc;

use glucopipe_sdk::Error;
use glucopipe_sdk::ffi::guard::guard;
use serde_json::Value;

use super::bench::{Bench, word};
use super::delivery::{deliver, readings};
use super::keys;
use super::raw::{Object, close};
use super::traces::Traces;
use super::{Stop, Tested, driver, exporter, skip, transform};
use crate::cancel::{Cancel, Reason};
use crate::host::Operation;
use crate::plugin::{Component, ComponentKind};

/// Opened and closed this often while memory is watched, and before, while it is not.
const OPENED: u32 = 100;
const BEFORE: u32 = 20;
/// Whole jobs that are done while memory is watched, and before.
const JOBS: u32 = 20;
const JOBS_BEFORE: u32 = 5;
/// Memory that an allocator may keep for itself.
const SLACK: u64 = 1 << 20;

/// Whatever may be NULL is taken as NULL: an object to close, an error to fill.
pub(super) fn null(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    bench.step("closing NULL");
    close(&component, ptr::null_mut());
    let op = keys::operation(bench, &component);
    for (what, text) in keys::nonsense() {
        bench.step(format!(
            "opening with {what} as configuration and NULL as error"
        ));
        let (code, _) = Object::open_silently(&component, &op, text.as_deref());
        let (answer, _) = Object::open(&component, &op, text.as_deref());
        if code != answer.code {
            bench.fault(format!(
                "open with {what} as configuration gave code {code} when there was no error to fill, and {} \
                 otherwise",
                answer.code
            ));
        }
    }
    let config = bench.config(&component)?;
    let Ok(text) = CString::new(config.to_string()) else {
        return skip("the configuration cannot be handed over");
    };
    // A cancelled operation is the one failure that every call can be made to meet.
    let cancel = Cancel::new();
    let device = match component.kind {
        ComponentKind::Driver => Some(bench.device(&component)?),
        _ => None,
    };
    let op = bench.operation_until(device, &cancel);
    bench.step("opening with NULL as error");
    let (code, object) = Object::open_silently(&component, &op, Some(&text));
    let Some(object) = object else {
        bench.fault(format!(
            "open failed with code {code} and a good configuration"
        ));
        return Ok(());
    };
    cancel.set(Reason::Interrupted);
    bench.step("calling everything of a cancelled operation with NULL as error");
    match component.kind {
        ComponentKind::Driver => driver::call_silently(&component, &object),
        ComponentKind::Exporter => exporter::call_silently(&component, &object),
        ComponentKind::Transform => transform::call_silently(&component, &object),
    }
    drop(object);
    Ok(())
}

/// Whole jobs of a component, one after the other.
struct Jobs<'b, 'r> {
    bench: &'b Bench<'r>,
    component: Arc<Component>,
    config: Value,
}

impl Jobs<'_, '_> {
    fn operation(&self) -> Result<Arc<Operation>, Stop> {
        let device = match self.component.kind {
            ComponentKind::Driver => Some(self.bench.device(&self.component)?),
            _ => None,
        };
        Ok(self.bench.operation(device))
    }

    fn open(&self, op: &Arc<Operation>) -> Tested {
        let Ok(text) = CString::new(self.config.to_string()) else {
            return skip("the configuration cannot be handed over");
        };
        let (answer, object) = Object::open(&self.component, op, Some(&text));
        match object {
            Some(_) => Ok(()),
            None => super::fail(format!("open failed: {}", answer.words())),
        }
    }

    fn whole(&self) -> Tested {
        let op = self.operation()?;
        whole(
            &self.component,
            &op,
            &self.config,
            self.bench.is_recording(),
        )
        .map_err(|error| Stop::Fail(format!("it failed: {error}")))
    }
}

/// One job from open to close: a read, a delivery, an application.
fn whole(
    component: &Arc<Component>,
    op: &Arc<Operation>,
    config: &Value,
    recorded: bool,
) -> Result<(), Error> {
    match component.kind {
        ComponentKind::Driver => driver::read_all(component, op, config, recorded).map(drop),
        ComponentKind::Exporter => deliver(component, op, config, readings()?).map(drop),
        ComponentKind::Transform => transform::apply_all(component, op, config).map(drop),
    }
}

/// Opening, working and closing again and again leaves nothing.
pub(super) fn leaks(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let config = bench.config(&component)?;
    let jobs = Jobs {
        bench,
        component,
        config,
    };
    let object = word(&jobs.component);
    let op = jobs.operation()?;
    bench.step(format!("opening and closing a {object} {OPENED} times"));
    for _ in 0..BEFORE {
        jobs.open(&op)?;
    }
    let before = Traces::take()?;
    for _ in 0..OPENED {
        jobs.open(&op)?;
    }
    compare(
        bench,
        &before,
        &format!("{OPENED} times opening and closing"),
    )?;
    drop(op);
    bench.step(format!("doing its job {JOBS} times"));
    for _ in 0..JOBS_BEFORE {
        jobs.whole()?;
    }
    let before = Traces::take()?;
    for _ in 0..JOBS {
        jobs.whole()?;
    }
    compare(bench, &before, &format!("doing its job {JOBS} times"))
}

fn compare(bench: &Bench<'_>, before: &Traces, after: &str) -> Tested {
    let now = Traces::take()?;
    for trace in now.since(before, None) {
        bench.fault(format!("after {after}: {trace}"));
    }
    let grown = now.memory_since(before);
    if grown > SLACK {
        let kib = grown / 1024;
        bench.fault(format!("after {after}: it uses {kib} KiB more memory"));
    }
    Ok(())
}

/// Two objects work at the same time, in two threads.
pub(super) fn together(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let config = bench.config(&component)?;
    let other = match component.kind {
        ComponentKind::Exporter => elsewhere(&config)?,
        _ => config.clone(),
    };
    let jobs = Jobs {
        bench,
        component: component.clone(),
        config,
    };
    bench.step("working with two at the same time");
    let ops = [jobs.operation()?, jobs.operation()?];
    let recorded = bench.is_recording();
    let outcomes = std::thread::scope(|scope| {
        let workers = [(&ops[0], &jobs.config), (&ops[1], &other)].map(|(op, config)| {
            let component = &component;
            scope.spawn(move || guard(|| whole(component, op, config, recorded)))
        });
        workers.map(|worker| worker.join())
    });
    for outcome in outcomes {
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => bench.fault(format!("one of two failed: {error}")),
            Err(_) => bench.fault("one of two ended in a panic of the host"),
        }
    }
    Ok(())
}

/// The same destination under another name.
fn elsewhere(config: &Value) -> Result<Value, Stop> {
    let mut config = config.clone();
    match config.get_mut("path") {
        Some(Value::String(path)) => {
            path.push_str("-2");
            Ok(config)
        }
        _ => skip("there is no second destination to give it: it has no `path`"),
    }
}
