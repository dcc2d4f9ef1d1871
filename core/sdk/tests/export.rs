//! An exporter and a transform behind their C tables, and the plugin that `export_plugin!` makes.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

#[allow(dead_code)] // the host of the meter is for the tests of the driver
#[path = "native/meter.rs"]
mod meter;

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use glucopipe_sdk::abi::{self, gp_error};
use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::exporter::{CommitReport, Exporter, Preview, Sink, Wants};
use glucopipe_sdk::reading::{Amount, Identity, Measurement, Reading, Verbatim};
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;
use glucopipe_sdk::serde_json::{self, Value, json};
use glucopipe_sdk::stream::{Batches, export};
use glucopipe_sdk::testing::{TestHost, batch, feed};
use glucopipe_sdk::transform::{Filter, Transform};
use glucopipe_sdk::{Error, Op, Result, Status};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "glucopipe_sdk::schemars")]
struct Config {
    /// Where to panic.
    #[serde(default)]
    panic: String,
}

fn trip(panic: &str, place: &str) {
    assert!(panic != place, "in {place}");
}

/// Counts readings, and what became of them.
struct Counter;

static DISCARDED: AtomicUsize = AtomicUsize::new(0);

struct Count {
    panic: String,
    rows: usize,
    committed: bool,
}

impl Exporter for Counter {
    const ID: &'static str = "counter";
    const SUMMARY: &'static str = "Counts readings";
    type Config = Config;
    type Sink = Count;

    fn check(_: &Op, config: &Config) -> Result<Vec<String>> {
        trip(&config.panic, "check");
        Ok(vec!["the folder will be made".into()])
    }

    fn wants(config: &Config) -> Result<Wants> {
        trip(&config.panic, "wants");
        Ok(Wants::New)
    }

    fn preview(_: &Op, config: Config, readings: &mut dyn Batches) -> Result<Option<Preview>> {
        trip(&config.panic, "preview");
        let mut preview = Preview::default();
        while let Some(batch) = readings.next_batch()? {
            preview.report.delivered += batch.num_rows() as u64;
        }
        preview.lines.push("would count".into());
        Ok(Some(preview))
    }

    fn open(_: &Op, config: Config) -> Result<Count> {
        trip(&config.panic, "open");
        Ok(Count {
            panic: config.panic,
            rows: 0,
            committed: false,
        })
    }
}

impl Sink for Count {
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()> {
        while let Some(batch) = readings.next_batch()? {
            op.check()?;
            trip(&self.panic, "write");
            self.rows += batch.num_rows();
        }
        Ok(())
    }

    fn commit(&mut self, _: &Op) -> Result<CommitReport> {
        trip(&self.panic, "commit");
        self.committed = true;
        Ok(CommitReport {
            delivered: self.rows as u64,
            ..CommitReport::default()
        })
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        if !self.committed {
            DISCARDED.fetch_add(self.rows, Ordering::Relaxed);
        }
        trip(&self.panic, "drop");
    }
}

/// Drops every second batch.
struct Half;

struct Halving {
    panic: String,
    seen: usize,
}

impl Transform for Half {
    const ID: &'static str = "half";
    const SUMMARY: &'static str = "Drops every second batch";
    type Config = Config;
    type Filter = Halving;

    fn open(_: &Op, config: Config) -> Result<Halving> {
        trip(&config.panic, "open");
        Ok(Halving {
            panic: config.panic,
            seen: 0,
        })
    }
}

impl Filter for Halving {
    fn apply(&mut self, _: &Op, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        trip(&self.panic, "apply");
        self.seen += 1;
        if self.panic == "columns" {
            // A batch of another shape, which must never cross.
            return Ok(Some(batch.project(&[0, 1]).unwrap()));
        }
        Ok((self.seen % 2 == 1).then_some(batch))
    }
}

impl Drop for Halving {
    fn drop(&mut self) {
        trip(&self.panic, "drop");
    }
}

glucopipe_sdk::export_plugin! {
    name: "native",
    drivers: [meter::Meter],
    exporters: [Counter],
    transforms: [Half],
}

fn config(panic: &str) -> Value {
    json!({ "panic": panic })
}

fn readings(rows: u64) -> RecordBatch {
    let reading = |counter| {
        let units = Measurement::Insulin(Amount::new(4.0).unwrap());
        let verbatim = Verbatim {
            time: "202606010800",
            value: "4",
            unit: "[iU]",
        };
        let at = "2026-06-01T08:00:00".parse().unwrap();
        Reading::new(at, units, verbatim, Identity::Counter(counter))
    };
    batch(&(0..rows).map(reading).collect::<Vec<_>>()).unwrap()
}

#[test]
fn an_exporter_commits_what_was_written_and_discards_the_rest() {
    let host = TestHost::new();
    let before = DISCARDED.load(Ordering::Relaxed);
    let mut sink = host.open_exporter::<Counter>(&json!({})).unwrap();
    sink.write(&[readings(2), readings(3)]).unwrap();
    sink.write(&[]).unwrap();
    assert_eq!(sink.commit().unwrap().delivered, 5);
    drop(sink);
    let mut sink = host.open_exporter::<Counter>(&json!({})).unwrap();
    sink.write(&[readings(7000)]).unwrap();
    drop(sink);
    // Other tests discard a few rows at the same time, but none that many.
    let discarded = DISCARDED.load(Ordering::Relaxed) - before;
    assert!((7000..8000).contains(&discarded), "{discarded}");
}

#[test]
fn a_check_answers_with_remarks_or_an_error() {
    let host = TestHost::new();
    let remarks = host.check_exporter::<Counter>(&json!({})).unwrap();
    assert_eq!(remarks, ["the folder will be made"]);
    let error = host
        .check_exporter::<Counter>(&config("check"))
        .unwrap_err();
    assert_eq!(
        (error.status, error.message.as_str()),
        (Status::Internal, "panicked: in check")
    );
}

#[test]
fn the_error_of_a_source_reaches_the_host_through_the_exporter() {
    let host = TestHost::new();
    let mut sink = host.open_exporter::<Counter>(&json!({})).unwrap();
    let lost = Error::new(Status::Lost, "the meter went away");
    let error = sink
        .write_stream(feed([Ok(readings(1)), Err(lost)]))
        .unwrap_err();
    assert_eq!(
        (error.status, error.message.as_str()),
        (Status::Lost, "the meter went away")
    );
    host.cancel();
    let error = sink.write(&[readings(1)]).unwrap_err();
    assert_eq!(error.status, Status::Cancelled);
}

#[test]
fn a_panic_poisons_a_sink_and_no_other() {
    let host = TestHost::new();
    let mut healthy = host.open_exporter::<Counter>(&json!({})).unwrap();
    let error = host
        .open_exporter::<Counter>(&config("open"))
        .err()
        .unwrap();
    assert_eq!(
        (error.status, error.message.as_str()),
        (Status::Internal, "panicked: in open")
    );
    for place in ["write", "commit"] {
        let mut sink = host.open_exporter::<Counter>(&config(place)).unwrap();
        // `write_stream` also checks that the stream was released.
        let outcome = sink.write(&[readings(1)]).and_then(|()| sink.commit());
        assert_eq!(
            outcome.unwrap_err().message,
            format!("panicked: in {place}")
        );
        assert_eq!(sink.commit().unwrap_err().status, Status::Internal);
        assert!(
            sink.write(&[readings(1)])
                .unwrap_err()
                .message
                .contains("earlier")
        );
    }
    drop(host.open_exporter::<Counter>(&config("drop")).unwrap());
    healthy.write(&[readings(1)]).unwrap();
    assert_eq!(healthy.commit().unwrap().delivered, 1);
}

#[test]
fn what_a_sink_wants_is_its_own_word_and_everything_unless_it_says_so() {
    /// A file that is written anew.
    struct Snapshot;
    impl Exporter for Snapshot {
        const ID: &'static str = "snapshot";
        const SUMMARY: &'static str = "Counts all over again";
        type Config = Config;
        type Sink = Count;
        fn open(op: &Op, config: Config) -> Result<Count> {
            Counter::open(op, config)
        }
    }
    let host = TestHost::new();
    assert_eq!(
        host.exporter_wants::<Snapshot>(&config("")).unwrap(),
        Wants::Everything
    );
    assert_eq!(
        host.exporter_wants::<Counter>(&config("")).unwrap(),
        Wants::New
    );
    let refused = host.exporter_wants::<Counter>(&json!({ "panic": 1 }));
    assert_eq!(refused.unwrap_err().status, Status::InvalidArgument);
    let panicked = host.exporter_wants::<Counter>(&config("wants"));
    assert_eq!(panicked.unwrap_err().message, "panicked: in wants");
}

#[test]
fn a_preview_counts_and_its_panics_stay_inside() {
    let host = TestHost::new();
    let seen = host.preview_export::<Counter>(&config(""), &[readings(2)]);
    let seen = seen.unwrap().unwrap();
    assert_eq!(
        (seen.report.delivered, seen.lines),
        (2, vec!["would count".into()])
    );
    let panicked = host.preview_export::<Counter>(&config("preview"), &[readings(1)]);
    assert_eq!(panicked.unwrap_err().message, "panicked: in preview");
}

#[test]
fn a_stream_is_released_however_write_or_apply_ends() {
    // SAFETY: tables of these kinds; all pointers are ours, alive and zeroed, or null where that is the
    // test.
    unsafe {
        let plugin = abi::read_table(gp_plugin_v1()).unwrap();
        let component = |index| abi::read_table(plugin.component.unwrap()(index)).unwrap();
        let exporter: abi::gp_exporter = abi::read_table(component(1).table.cast()).unwrap();
        let transform: abi::gp_transform = abi::read_table(component(2).table.cast()).unwrap();
        let (write, apply) = (exporter.write.unwrap(), transform.apply.unwrap());
        let (none, nobody, host) = (
            ptr::null_mut::<gp_error>(),
            ptr::null_mut(),
            TestHost::new(),
        );

        let mut stream = export(feed([Ok(readings(1))]));
        let code = write(nobody, host.raw_op(), &raw mut stream, none);
        assert_eq!(
            (code, stream.release.is_none()),
            (abi::GP_E_INVALID_ARGUMENT, true)
        );
        // Released already: an error, and not released again.
        assert_eq!(
            write(nobody, host.raw_op(), &raw mut stream, none),
            abi::GP_E_INTERNAL
        );
        assert_eq!(
            write(nobody, host.raw_op(), ptr::null_mut(), none),
            abi::GP_E_INVALID_ARGUMENT
        );
        let mut stream = export(feed([Ok(readings(1))]));
        assert_eq!(
            write(nobody, ptr::null(), &raw mut stream, none),
            abi::GP_E_INTERNAL
        );
        assert!(stream.release.is_none());

        let mut out = abi::ArrowArrayStream::EMPTY;
        let mut stream = export(feed([Ok(readings(1))]));
        let code = apply(
            ptr::null_mut(),
            host.raw_op(),
            &raw mut stream,
            &raw mut out,
            none,
        );
        assert_eq!(
            (code, stream.release.is_none()),
            (abi::GP_E_INVALID_ARGUMENT, true)
        );
        assert!(out.release.is_none());

        let mut sink = ptr::null_mut();
        assert_eq!(
            exporter.open.unwrap()(host.raw_op(), ptr::null(), &raw mut sink, none),
            abi::GP_E_INVALID_ARGUMENT
        );
        assert_eq!(
            exporter.open.unwrap()(host.raw_op(), c"{}".as_ptr(), &raw mut sink, none),
            0
        );
        let mut text = abi::gp_string::EMPTY;
        assert_eq!(
            exporter.commit.unwrap()(sink, host.raw_op(), &raw mut text, none),
            0
        );
        text.release.unwrap()(&raw mut text);
        assert_eq!(
            exporter.commit.unwrap()(nobody, host.raw_op(), &raw mut text, none),
            abi::GP_E_INVALID_ARGUMENT
        );
        exporter.close.unwrap()(sink);
        exporter.close.unwrap()(nobody);
        transform.close.unwrap()(ptr::null_mut());
    }
}

#[test]
fn a_transform_sees_every_batch_and_may_drop_some() {
    let host = TestHost::new();
    let mut filter = host.open_transform::<Half>(&json!({})).unwrap();
    let out = filter
        .apply(&[readings(1), readings(2), readings(3)])
        .unwrap();
    assert_eq!(
        out.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(),
        [1, 3]
    );
    assert_eq!(out[0], readings(1));
    let failed = filter.apply_stream(feed([Err(Error::new(Status::Timeout, "no answer"))]));
    assert_eq!(failed.unwrap_err().status, Status::Timeout);
    host.cancel();
    let error = filter.apply(&[readings(1)]).unwrap_err();
    assert_eq!(error.status, Status::Cancelled);
}

#[test]
fn a_panic_poisons_a_transform_and_no_other() {
    let host = TestHost::new();
    let mut healthy = host.open_transform::<Half>(&json!({})).unwrap();
    let error = host.open_transform::<Half>(&config("open")).err().unwrap();
    assert_eq!(error.status, Status::Internal);
    let mut filter = host.open_transform::<Half>(&config("apply")).unwrap();
    assert_eq!(
        filter.apply(&[readings(1)]).unwrap_err().message,
        "panicked: in apply"
    );
    let error = filter.apply(&[readings(1)]).unwrap_err();
    assert_eq!(error.status, Status::Internal);
    assert!(error.message.contains("earlier"), "{error}");
    drop(host.open_transform::<Half>(&config("drop")).unwrap());
    assert_eq!(healthy.apply(&[readings(1)]).unwrap().len(), 1);
}

#[test]
fn a_transform_cannot_change_the_columns() {
    let host = TestHost::new();
    let mut filter = host.open_transform::<Half>(&config("columns")).unwrap();
    let error = filter.apply(&[readings(1)]).unwrap_err();
    assert!(error.message.contains("other columns"), "{error}");
}

#[test]
fn the_plugin_lists_its_components_and_no_more() {
    // SAFETY: the entry returns a static table.
    let plugin = unsafe { abi::read_table(gp_plugin_v1()) }.unwrap();
    let component = plugin.component.unwrap();
    // SAFETY: static, NUL-terminated texts of the plugin.
    let texts = |index| unsafe {
        let component = abi::read_table(component(index)).unwrap();
        let about = CStr::from_ptr(component.about).to_str().unwrap();
        let about: Value = serde_json::from_str(about).unwrap();
        (
            component.kind,
            CStr::from_ptr(component.id).to_str().unwrap(),
            about,
        )
    };
    let kinds = [
        abi::GP_KIND_DRIVER,
        abi::GP_KIND_EXPORTER,
        abi::GP_KIND_TRANSFORM,
    ];
    for (index, id) in ["made-up", "counter", "half"].into_iter().enumerate() {
        let (kind, has, about) = texts(u32::try_from(index).unwrap());
        assert_eq!((kind, has), (kinds[index], id));
        assert_eq!(about["name"], id);
        let described = &about["config_schema"]["properties"];
        assert!(described.to_string().contains("Where to "), "{described}");
        assert_eq!(about["config_schema"]["additionalProperties"], false);
    }
    // SAFETY: [scan] functions may be called with any index, any number of times.
    unsafe {
        assert!(component(3).is_null() && component(u32::MAX).is_null());
        assert_eq!(component(1), component(1));
        assert_eq!(CStr::from_ptr(plugin.name), c"native");
        assert_eq!(
            CStr::from_ptr(plugin.version).to_str().unwrap(),
            env!("CARGO_PKG_VERSION")
        );
    }
    assert_eq!(
        (plugin.abi_minor, plugin.min_host_minor),
        (abi::GP_ABI_MINOR, 0)
    );
}
