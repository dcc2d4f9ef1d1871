//! Readings as exporters and transforms receive them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::SchemaRef;

use crate::batch::{BatchBuilder, Texts};
use crate::error::Result;
use crate::reading::Reading;
use crate::schema::{self, Column, Filler};
use crate::stream::Batches;

/// A batch in the form the host gives transforms and exporters: the readings in this order, with the host's
/// columns filled as for one read of a made-up meter (`reading_id` counts rows, `time` is unresolved).
///
/// # Errors
/// Only when the columns do not fit the schema, which would be a bug of the SDK.
pub fn batch(readings: &[Reading]) -> Result<RecordBatch> {
    let mut builder = BatchBuilder::new(schema::driver_readings("{}".into()));
    for reading in readings {
        builder.push(reading);
    }
    let filled = builder.take()?;
    let columns = schema::COLUMNS
        .iter()
        .map(|column| match column.filler {
            Filler::Driver => crate::batch::column(&filled, column.name).cloned(),
            Filler::Host => Ok(by_host(column, readings.len())),
        })
        .collect::<Result<Vec<ArrayRef>>>()?;
    Ok(RecordBatch::try_new(schema::readings(), columns)?)
}

fn by_host(column: &Column, rows: usize) -> ArrayRef {
    let word = |text: &str| {
        let plain: ArrayRef = Arc::new(StringArray::from(vec![text; rows]));
        Texts::from_array(&plain).map_or(plain, Texts::into_words)
    };
    match column.name {
        "reading_id" => Arc::new(StringArray::from_iter_values(
            (1..=rows).map(|row| format!("00000000-0000-5000-8000-{row:012}")),
        )),
        "time_quality" => word("unresolved"),
        "device_model" => word("Test Meter"),
        "device_serial" => word("TEST-0001"),
        "device_firmware" => word("1.0"),
        "driver" => word("test/0.0.0"),
        "read_at" => Arc::new(
            TimestampMicrosecondArray::from(vec![1_780_315_200_000_000; rows]).with_timezone("UTC"),
        ),
        _ => new_null_array(&column.kind.data_type(), rows),
    }
}

/// A source of batches with the host's columns, and of the error that ends it.
pub fn feed<I>(items: I) -> Box<dyn Batches>
where
    I: IntoIterator<Item = Result<RecordBatch>>,
{
    struct Feed(std::vec::IntoIter<Result<RecordBatch>>);
    impl Batches for Feed {
        fn schema(&self) -> SchemaRef {
            schema::readings()
        }
        fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
            self.0.next().transpose()
        }
    }
    Box::new(Feed(items.into_iter().collect::<Vec<_>>().into_iter()))
}
