//! The kit for glucopipe plugins in safe Rust: drivers, exporters and transforms.
//!
//! A plugin is a shared library (`crate-type = ["cdylib"]`) that glucopipe loads at run time. It holds any
//! number of components, and [`export_plugin!`] turns them into the one C symbol that the host looks for.
//! The contract with the host is `glucopipe.h` ([`abi`] has a copy); this crate speaks it for you, so a
//! component is an implementation of [`driver::Driver`], [`exporter::Exporter`] or [`transform::Transform`]
//! without a line of `unsafe`.
//!
//! # The path of a reading
//!
//! 1. The host finds a meter by [`driver::Driver::DEVICES`] and checks the user's configuration against the
//!    schema it made from [`driver::Driver::Config`], before any code of the plugin sees it.
//! 2. [`driver::Driver::open`] asks the host for a [`link::Link`]: the host owns devices, so the same driver
//!    reads a real meter, a virtual one and a recorded transcript.
//! 3. [`driver::Session::read`] starts a [`driver::Download`]; each [`next`](driver::Download::next) decodes
//!    one record into a [`reading::Reading`].
//! 4. The SDK packs up to 1024 readings into an Arrow batch ([`batch::BatchBuilder`]) and hands batches over
//!    as a C stream, without copying.
//! 5. At the end, after an error, or when the host has had enough, the SDK calls
//!    [`finish`](driver::Download::finish), which leaves the meter idle and reports what was found.
//! 6. The host validates every batch, adds ids, the device and the person, and resolves local time to UTC.
//! 7. Transforms see each batch of [`schema::readings`] in turn: [`transform::Filter::apply`].
//! 8. Each exporter takes the result in [`exporter::Sink::write`]; nothing is visible yet.
//! 9. [`exporter::Sink::commit`] makes it visible, whole or not at all.
//! 10. Dropping the session, the filter or the sink closes it.
//!
//! # A driver
//!
//! The made-up Duo answers `[0]` with its serial and every record number with one report of seven bytes:
//! number, mg/dL, seconds since 1970 by its own clock; past the last record it answers `[0xff]`.
//!
//! ```standalone_crate
//! use glucopipe_sdk::chrono::DateTime;
//! use glucopipe_sdk::component::Device;
//! use glucopipe_sdk::driver::{DeviceInfo, Download, Driver, Query, ReadReport, Session, SetAside};
//! use glucopipe_sdk::link::{Kind, Link};
//! use glucopipe_sdk::reading::*;
//! use glucopipe_sdk::{Error, Op, Result, Status, schemars::JsonSchema, serde::Deserialize};
//!
//! pub struct Duo;
//!
//! /// Its keys in `[sources.NAME]`.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(crate = "glucopipe_sdk::serde", deny_unknown_fields)]
//! #[schemars(crate = "glucopipe_sdk::schemars")]
//! pub struct Config {
//!     /// How long to wait for one report, in milliseconds; 1000 unless given. (Users read this line.)
//!     timeout_ms: Option<u32>,
//! }
//!
//! impl Driver for Duo {
//!     const ID: &'static str = "duo";
//!     const SUMMARY: &'static str = "Duo meters on USB";
//!     const DEVICES: &'static [Device] = &[Device {
//!         link: "hid",
//!         vendor: "f055",
//!         product: "0d00",
//!         model: "Duo",
//!         tested: "untested",
//!     }];
//!     type Config = Config;
//!     type Session = Meter;
//!
//!     fn open(op: &Op, config: Config) -> Result<Meter> {
//!         let timeout_ms = config.timeout_ms.unwrap_or(1000);
//!         Ok(Meter { link: op.open_link(Kind::Hid)?, timeout_ms })
//!     }
//! }
//!
//! pub struct Meter {
//!     link: Link,
//!     timeout_ms: u32,
//! }
//!
//! impl Meter {
//!     fn ask(&mut self, op: &Op, number: u8) -> Result<Vec<u8>> {
//!         op.check()?; // the user pressed Ctrl-C: stop here
//!         self.link.write(op, self.timeout_ms, &[number])?;
//!         let mut report = [0; 64];
//!         let len = self.link.read(op, self.timeout_ms, &mut report)?;
//!         Ok(report[..len].to_vec())
//!     }
//! }
//!
//! impl Session for Meter {
//!     fn info(&mut self, op: &Op) -> Result<DeviceInfo> {
//!         let serial = String::from_utf8(self.ask(op, 0)?)
//!             .map_err(|_| Error::new(Status::Protocol, "the serial is not text"))?;
//!         Ok(DeviceInfo { serial, model: "Duo".into(), ..DeviceInfo::default() })
//!     }
//!
//!     fn read<'s>(&'s mut self, op: &Op, _: &Query) -> Result<Box<dyn Download + 's>> {
//!         let device = self.info(op)?;
//!         let report = ReadReport::default();
//!         Ok(Box::new(Records { meter: self, device, number: 0, report }))
//!     }
//! }
//!
//! struct Records<'s> {
//!     meter: &'s mut Meter,
//!     device: DeviceInfo,
//!     number: u8,
//!     report: ReadReport,
//! }
//!
//! impl Download for Records<'_> {
//!     fn device(&self) -> &DeviceInfo {
//!         &self.device
//!     }
//!
//!     fn next(&mut self, op: &Op) -> Result<Option<Reading>> {
//!         loop {
//!             self.number += 1;
//!             let report = self.meter.ask(op, self.number)?;
//!             if report == [0xff] {
//!                 self.report.complete = true;
//!                 return Ok(None);
//!             }
//!             op.progress(self.number.into(), 0, "reading records");
//!             match decode(&report) {
//!                 Some(reading) => return Ok(Some(reading)),
//!                 // One bad record costs one record, and the report says so.
//!                 None => self.report.set_aside.push(SetAside::new(
//!                     self.number.into(),
//!                     "expected 7 bytes with a time and a plausible value",
//!                     &report,
//!                 )),
//!             }
//!         }
//!     }
//!
//!     fn finish(self: Box<Self>, _: &Op) -> ReadReport {
//!         self.report // the Duo needs no good-bye
//!     }
//! }
//!
//! /// Pure: bytes in, reading out. Test this half without a host.
//! fn decode(report: &[u8]) -> Option<Reading> {
//!     let &[number, low, high, a, b, c, d] = report else { return None };
//!     let value = u16::from_le_bytes([low, high]);
//!     let seconds = u32::from_le_bytes([a, b, c, d]);
//!     let time = DateTime::from_timestamp(seconds.into(), 0)?.naive_utc();
//!     let glucose = Concentration::MgPerDl(MgPerDl::new(value.into())?);
//!     let (raw_time, raw_value) = (seconds.to_string(), value.to_string());
//!     let sent = Verbatim { time: &raw_time, value: &raw_value, unit: "mg/dL" };
//!     let identity = Identity::Counter(number.into());
//!     let measured = Measurement::Glucose(Ranged::In(glucose));
//!     let mut reading = Reading::new(time, measured, sent, identity);
//!     reading.raw = Some(report.to_vec());
//!     Some(reading)
//! }
//!
//! glucopipe_sdk::export_plugin! {
//!     name: "duo",
//!     drivers: [Duo],
//!     exporters: [],
//!     transforms: [],
//! }
//!
//! // In a test: the driver behind its C table, with a scripted meter and virtual time.
//! use glucopipe_sdk::testing::{Script, TestHost};
//! let script = Script::new()
//!     .expect(&[0]).reply(b"D-100")
//!     .expect(&[1]).reply(&[1, 93, 0, 0x40, 0x6e, 0x1d, 0x6a])
//!     .expect(&[2]).reply(&[2])
//!     .expect(&[3]).reply(&[0xff]);
//! let host = TestHost::new().with_link(Kind::Hid, script);
//! let mut meter = host.open_driver::<Duo>(&glucopipe_sdk::serde_json::json!({}))?;
//! let read = meter.read()?;
//! assert_eq!((read.rows(), read.report?.set_aside.len()), (1, 1));
//! # Ok::<(), Error>(())
//! ```
//!
//! # An exporter
//!
//! A sink takes streams and shows nothing before `commit`; [`exporter::Exporter::check`] may say beforehand
//! what stands in the way. [`files::WholeFile`] gives that for a file; its
//! temporary file vanishes when the sink is dropped; a format of text is a [`text::Layout`] and needs no sink
//! of its own. Find columns by name, with [`batch::typed`] and
//! [`batch::Texts`], which reads text in both forms it may come in.
//!
//! ```
//! use std::io::Write;
//! use std::path::PathBuf;
//!
//! use glucopipe_sdk::arrow::array::Float64Array;
//! use glucopipe_sdk::batch::{Texts, typed};
//! use glucopipe_sdk::exporter::{CommitReport, Exporter, Sink};
//! use glucopipe_sdk::files::WholeFile;
//! use glucopipe_sdk::stream::Batches;
//! use glucopipe_sdk::{Error, Op, Result, schemars::JsonSchema, serde::Deserialize};
//!
//! struct Lines;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(crate = "glucopipe_sdk::serde", deny_unknown_fields)]
//! #[schemars(crate = "glucopipe_sdk::schemars")]
//! struct Config {
//!     /// The file to write.
//!     path: PathBuf,
//! }
//!
//! impl Exporter for Lines {
//!     const ID: &'static str = "lines";
//!     const SUMMARY: &'static str = "One line of text for each reading";
//!     type Config = Config;
//!     type Sink = Writer;
//!
//!     fn open(_: &Op, config: Config) -> Result<Writer> {
//!         let file = Some(WholeFile::create(&config.path)?);
//!         Ok(Writer { file, delivered: 0 })
//!     }
//! }
//!
//! struct Writer {
//!     file: Option<WholeFile>,
//!     delivered: u64,
//! }
//!
//! impl Sink for Writer {
//!     fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()> {
//!         let Some(file) = &mut self.file else { return Ok(()) };
//!         while let Some(batch) = readings.next_batch()? {
//!             op.check()?;
//!             let values: &Float64Array = typed(&batch, "value")?;
//!             let units = Texts::of(&batch, "unit")?;
//!             for row in 0..batch.num_rows() {
//!                 let unit = units.get(row).unwrap_or_default();
//!                 writeln!(file, "{} {unit}", values.value(row))
//!                     .map_err(|error| Error::file("cannot write lines", &error))?;
//!             }
//!             self.delivered += batch.num_rows() as u64;
//!         }
//!         Ok(())
//!     }
//!
//!     fn commit(&mut self, _: &Op) -> Result<CommitReport> {
//!         if let Some(file) = self.file.take() {
//!             file.commit()?;
//!         }
//!         Ok(CommitReport { delivered: self.delivered, ..CommitReport::default() })
//!     }
//! }
//! # use glucopipe_sdk::{serde_json::json, testing::{TestHost, batch}};
//! # let host = TestHost::new();
//! # let home = tempfile::tempdir().unwrap();
//! # let path = home.path().join("readings.txt");
//! # let mut sink = host.open_exporter::<Lines>(&json!({ "path": path }))?;
//! # sink.write(&[batch(&[])?])?;
//! # assert!(!path.exists());
//! # sink.commit()?;
//! # assert!(path.exists());
//! # Ok::<(), Error>(())
//! ```
//!
//! # A transform
//!
//! A filter gets one batch after the other and gives it on, changed, or drops it; the columns stay what they
//! were, and what identifies a reading is never changed ([`transform::Transform`] lists it).
//!
//! ```
//! use glucopipe_sdk::arrow::array::{BooleanArray, RecordBatch};
//! use glucopipe_sdk::arrow::compute::filter_record_batch;
//! use glucopipe_sdk::batch::Texts;
//! use glucopipe_sdk::component::NoConfig;
//! use glucopipe_sdk::transform::{Filter, Transform};
//! use glucopipe_sdk::{Op, Result};
//!
//! /// Drops tests with control solution.
//! struct BloodOnly;
//!
//! impl Transform for BloodOnly {
//!     const ID: &'static str = "blood-only";
//!     const SUMMARY: &'static str = "Drops tests with control solution";
//!     type Config = NoConfig;
//!     type Filter = Self;
//!
//!     fn open(_: &Op, _: NoConfig) -> Result<Self> {
//!         Ok(Self)
//!     }
//! }
//!
//! impl Filter for BloodOnly {
//!     fn apply(&mut self, _: &Op, batch: RecordBatch) -> Result<Option<RecordBatch>> {
//!         let kinds = Texts::of(&batch, "kind")?;
//!         let keep: BooleanArray =
//!             (0..kinds.len()).map(|row| Some(kinds.get(row) != Some("control"))).collect();
//!         Ok(Some(filter_record_batch(&batch, &keep)?))
//!     }
//! }
//! # use glucopipe_sdk::{serde_json::json, testing::{TestHost, batch}};
//! # let mut filter = TestHost::new().open_transform::<BloodOnly>(&json!({}))?;
//! # assert_eq!(filter.apply(&[batch(&[])?])?.len(), 1);
//! # Ok::<(), glucopipe_sdk::Error>(())
//! ```
//!
//! # What you get, and what you owe
//!
//! **Units.** A number without its unit does not compile: [`reading::Measurement`] takes
//! [`MgPerDl`](reading::MgPerDl) or [`MmolPerL`](reading::MmolPerL), which refuse negative, infinite and
//! implausible values. Give the unit of the record, never the display unit of the meter, and do not convert.
//! `LO` and `HI` are [`Ranged::Below`](reading::Ranged::Below) and `Above` with the limit, not a number.
//!
//! **Identity.** The record key decides whether a reading is new or was read before, so it must be the same
//! at every read, for ever. Use [`Identity::Counter`](reading::Identity::Counter) when the meter numbers its
//! records for life, else [`Identity::Observed`](reading::Identity::Observed): the builder then numbers
//! equal records in the order they come, which is why [`next`](driver::Download::next) keeps the meter's
//! order, oldest first. Verbatim texts are part of the key: give them as sent, not formatted.
//!
//! **Batches.** [`batch::BatchBuilder`] guarantees columns, types, order, metadata and keys. You cannot give
//! a wrong schema, and a transform that does gets an error before a foreign byte is read.
//!
//! **Panics.** No panic leaves the plugin. It becomes [`Status::Internal`] with its text (and in a stream an
//! I/O error after the readings before it), and poisons its session, sink or filter, which can then only be
//! closed; others go on. This needs unwinding: do not set `panic = "abort"`; [`export_plugin!`] refuses it.
//! Prefer errors all the same: [`Error`] has a kind, and the host finds advice by it.
//!
//! **Cancellation.** Nothing interrupts your code. Call [`Op::check`] in every loop and pass timeouts of at
//! most a few seconds; links of the host end early by themselves. An error of [`Op::check`] travels through
//! streams as what it is.
//!
//! **Closing.** Between two calls the meter is idle. Before [`finish`](driver::Download::finish) the SDK
//! calls [`Op::begin_closing`]: from then on `check` passes and links work although the operation was
//! cancelled, for twelve seconds in all. Call it yourself when another function must say good-bye to the
//! meter after a cancellation.
//!
//! **Output.** Standard output belongs to the host and may carry data: print nothing, there or to standard
//! error. Use [`Op::log`] for one line and [`Op::progress`] for where you are; neither ever shows a reading
//! or a secret. A [`component::Secret`] in a configuration hides itself.
//!
//! **Time.** [`Op::utc_us`] and [`Op::monotonic_ms`] are the host's clocks; a virtual meter runs on virtual
//! time. Keep no state in thread locals or globals: calls move between threads, and sessions run side by side.
//!
//! **Transcripts.** A recorded conversation holds a person's readings. A driver that sets
//! [`SCRUBS`](driver::Driver::SCRUBS) makes one fit to be shared, in [`scrub`](driver::Driver::scrub): a
//! [`Disguise`](scrub::Disguise) makes up what takes the place of serials, dates and values, byte for byte.
//!
//! Test components natively with [`testing::TestHost`].

pub mod batch;
pub mod component;
pub mod decimal;
pub mod driver;
mod error;
#[doc(hidden)]
pub mod export;
pub mod exporter;
#[doc(hidden)]
pub mod ffi;
pub mod files;
pub mod link;
pub mod op;
pub mod reading;
pub mod schema;
pub mod scrub;
pub mod stream;
pub mod testing;
pub mod text;
pub mod transcript;
pub mod transform;

pub use error::{Error, Result, Status};
pub use op::{Level, Op};

#[doc(hidden)]
pub use glucopipe_abi as abi;
pub use {arrow, chrono, schemars, serde, serde_json};
