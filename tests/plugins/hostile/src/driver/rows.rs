//! Well-formed Arrow with wrong contents: columns, metadata, rows.

use std::collections::HashMap;
use std::ptr;
use std::sync::Arc;

use glucopipe_sdk::abi::ArrowArrayStream;
use glucopipe_sdk::arrow::array::{
    Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use glucopipe_sdk::arrow::datatypes::{Field, Metadata, Schema};
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::ffi::guard::guard;
use glucopipe_sdk::schema;
use glucopipe_sdk::stream::{Batches, Import, export};

use super::Mode;
use super::edit::{
    added, null_in_dictionary, rebuilt, repeated, rows, second, with, with_shared_text, with_value,
    with_word, without,
};
use crate::laced::Prepared;

/// Replaces a stream of good readings by one with a misdeed, if the mode is one of these.
///
/// # Safety
/// `out` points to a live stream that nobody else uses.
pub(super) unsafe fn lace(mode: Mode, out: *mut ArrowArrayStream) {
    if !is_laced(mode) {
        return;
    }
    // SAFETY: by the caller's word; the stream is moved out, and a new one moved in.
    unsafe {
        let stream = ptr::replace(out, ArrowArrayStream::EMPTY);
        let laced = guard(|| {
            let mut stream = Import::new(stream)?;
            let batch = stream.next_batch()?;
            let batch = batch.unwrap_or_else(|| RecordBatch::new_empty(stream.schema()));
            // The end of the honest stream, so that there is a report.
            stream.next_batch()?;
            Ok(prepared(mode, &batch))
        });
        if let Ok(laced) = laced {
            out.write(export(Box::new(laced)));
        }
    }
}

fn is_laced(mode: Mode) -> bool {
    (Mode::ColumnMissing as u8..Mode::StreamError as u8).contains(&(mode as u8))
}

fn prepared(mode: Mode, batch: &RecordBatch) -> Prepared {
    let metadata = |change: &dyn Fn(&mut Metadata)| {
        let mut metadata = batch.schema().metadata().clone();
        change(&mut metadata);
        let schema = Schema::new_with_metadata(batch.schema().fields().clone(), metadata);
        rebuilt(Arc::new(schema), batch.columns().to_vec())
    };
    let laced = match mode {
        Mode::ColumnMissing => without(batch, "raw_value"),
        Mode::ColumnType => with(
            batch,
            "value",
            Arc::new(Int64Array::from(vec![0; rows(batch)])),
        ),
        Mode::ColumnExtra => added(batch, "mood"),
        Mode::ColumnOfHost => added(batch, "reading_id"),
        Mode::ColumnTwice => added(batch, "raw_value"),
        Mode::MetadataMissing => metadata(&|metadata| drop(metadata.remove(schema::SCHEMA_KEY))),
        Mode::DeviceMissing => metadata(&|metadata| drop(metadata.remove(schema::DEVICE_KEY))),
        Mode::DeviceGarbage => metadata(&|metadata| {
            metadata.insert(schema::DEVICE_KEY.to_owned(), "[1, 2".to_owned());
        }),
        Mode::UnitMissing => {
            let schema = batch.schema();
            let fields = schema.fields().iter().map(|field| {
                let plain = field.as_ref().clone();
                plain.with_metadata(HashMap::new())
            });
            let fields: Vec<Field> = fields.collect();
            let bare = Schema::new_with_metadata(fields, schema.metadata().clone());
            rebuilt(Arc::new(bare), batch.columns().to_vec())
        }
        Mode::RowKind => with_word(batch, "kind", "mood"),
        Mode::RowUnit => with_word(batch, "unit", "[iU]"),
        Mode::RowNan => with_value(batch, f64::NAN),
        Mode::RowNegative => with_value(batch, -1.0),
        Mode::RowHuge => with_value(batch, 2001.0),
        Mode::RowRange => with_word(batch, "range", "below"),
        Mode::RowTime => {
            let times = second(batch, i64::MAX, 1_780_000_000_000_000);
            with(
                batch,
                "local_time",
                Arc::new(TimestampMicrosecondArray::from(times)),
            )
        }
        Mode::RowKeyEmpty => with_word(batch, "record_key", ""),
        Mode::RowKeyTwice => {
            let keys = Texts::of(batch, "record_key");
            let first = keys.ok().and_then(|keys| keys.get(0).map(str::to_owned));
            with_word(batch, "record_key", &first.unwrap_or_default())
        }
        Mode::NullColumn => {
            let values = second(batch, None, Some(5.0));
            with(batch, "value", Arc::new(Float64Array::from(values)))
        }
        Mode::NullInDictionary => null_in_dictionary(batch, "raw_unit"),
        Mode::TooMany => repeated(batch, 1_000_001),
        Mode::Endless => repeated(batch, 500_001),
        Mode::EndlessEmpty => batch.slice(0, 0),
        Mode::SharedText => with_shared_text(&repeated(batch, 100_000), "record_key"),
        _ => RecordBatch::new_empty(Arc::new(Schema::empty())),
    };
    let mut prepared = Prepared::one(laced);
    prepared.endless = matches!(mode, Mode::Endless | Mode::EndlessEmpty);
    prepared
}
