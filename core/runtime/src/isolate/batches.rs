//! Batches on their way, as an Arrow IPC stream that is cut into frames: the head, then each batch.

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use glucopipe_sdk::ffi::guard::guard;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Status};

/// Rows in one frame.
const FRAME_ROWS: usize = 8192;

/// Cuts batches into frames.
pub(super) struct Sender<'a> {
    batches: Box<dyn Batches + 'a>,
    writer: StreamWriter<Vec<u8>>,
    /// What is left of a batch with many rows.
    rest: Option<RecordBatch>,
}

impl<'a> Sender<'a> {
    /// Frames of these batches, and the head of the stream.
    ///
    /// # Errors
    /// When the schema cannot be sent.
    pub(super) fn new(batches: Box<dyn Batches + 'a>) -> Result<(Self, Vec<u8>), Error> {
        let mut writer = StreamWriter::try_new(Vec::new(), batches.schema().as_ref())?;
        let head = std::mem::take(writer.get_mut());
        let sender = Self {
            batches,
            writer,
            rest: None,
        };
        Ok((sender, head))
    }

    /// The next frame, or `None` at the end.
    ///
    /// # Errors
    /// As the batches say.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.batches.next_batch()? {
                Some(batch) => batch,
                None => return Ok(None),
            },
        };
        let rows = batch.num_rows().min(FRAME_ROWS);
        self.writer.write(&batch.slice(0, rows))?;
        if rows < batch.num_rows() {
            self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        Ok(Some(std::mem::take(self.writer.get_mut())))
    }
}

/// Makes batches of frames. The other side may be broken: memory is bounded by the frames, and every
/// value is checked.
pub(super) struct Receiver {
    decoder: StreamDecoder,
    schema: SchemaRef,
}

fn broken(what: &str, error: &Error) -> Error {
    Error::new(
        Status::Internal,
        format!("broken {what}: {}", error.message),
    )
}

impl Receiver {
    /// A stream with this head.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn new(head: Vec<u8>) -> Result<Self, Error> {
        let mut decoder = StreamDecoder::new();
        let schema = guard(|| {
            decode(&mut decoder, head)?;
            decoder
                .schema()
                .ok_or_else(|| Error::new(Status::Internal, "it has none"))
        });
        let schema = schema.map_err(|error| broken("schema", &error))?;
        Ok(Self { decoder, schema })
    }

    /// Columns of every batch.
    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The batch of a frame.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn batch(&mut self, mut frame: Vec<u8>) -> Result<RecordBatch, Error> {
        let batch = guard(|| {
            if !frame.starts_with(&MARKER) {
                return Err(Error::new(Status::Internal, "it begins with none"));
            }
            let batch = decode(&mut self.decoder, frame.split_off(MARKER.len()))?
                .ok_or_else(|| Error::new(Status::Internal, "it is cut off"))?;
            if batch.num_rows() > FRAME_ROWS {
                return Err(Error::new(Status::Internal, "it has too many rows"));
            }
            for column in batch.columns() {
                column.to_data().validate_full()?;
            }
            Ok(batch)
        });
        batch.map_err(|error| broken("batch", &error))
    }
}

/// What every message of a stream begins with.
const MARKER: [u8; 4] = [0xff; 4];

/// Decodes the bytes of one frame to their end. The decoder only finishes a message that has no body when
/// the next one begins, so it is always given the beginning of the next one.
fn decode(decoder: &mut StreamDecoder, mut frame: Vec<u8>) -> Result<Option<RecordBatch>, Error> {
    frame.extend(MARKER);
    let mut bytes = Buffer::from_vec(frame);
    let mut found = None;
    while !bytes.is_empty() {
        if let Some(batch) = decoder.decode(&mut bytes)?
            && found.replace(batch).is_some()
        {
            return Err(Error::new(Status::Internal, "there is more than one"));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, DictionaryArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int32Type, Schema};
    use proptest::prelude::*;

    use super::*;

    struct Once(SchemaRef, Vec<RecordBatch>);

    impl Batches for Once {
        fn schema(&self) -> SchemaRef {
            self.0.clone()
        }

        fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
            Ok(self.1.pop())
        }
    }

    fn rows(count: i64) -> RecordBatch {
        let words: DictionaryArray<Int32Type> = (0..count)
            .map(|row| ["before", "after"][usize::from(row % 2 == 0)])
            .collect();
        let schema = Schema::new(vec![
            Field::new("number", DataType::Int64, true),
            Field::new("word", words.data_type().clone(), true),
        ]);
        let numbers = Arc::new(Int64Array::from_iter((0..count).map(Some)));
        RecordBatch::try_new(Arc::new(schema), vec![numbers, Arc::new(words)]).unwrap()
    }

    fn frames(batches: Vec<RecordBatch>) -> (Vec<u8>, Vec<Vec<u8>>) {
        let schema = batches[0].schema();
        let (mut sender, head) = Sender::new(Box::new(Once(schema, batches))).unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = sender.next().unwrap() {
            frames.push(frame);
        }
        (head, frames)
    }

    #[test]
    fn batches_cross_and_large_ones_in_parts() {
        let long = rows(20_000);
        let (head, frames) = frames(vec![rows(3), long.clone()]);
        let mut receiver = Receiver::new(head).unwrap();
        assert_eq!(receiver.schema(), long.schema());
        let came: Vec<_> = frames
            .into_iter()
            .map(|frame| receiver.batch(frame).unwrap())
            .collect();
        let counts: Vec<_> = came.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(counts, [8192, 8192, 3616, 3]);
        let whole = arrow::compute::concat_batches(&long.schema(), &came[..3]).unwrap();
        assert_eq!(whole.column(0), long.column(0));
        assert_eq!(came[3].column(1).len(), 3);
    }

    #[test]
    fn what_is_missing_or_too_much_is_refused() {
        let (head, frames) = frames(vec![rows(3)]);
        assert!(Receiver::new(Vec::new()).is_err());
        assert!(Receiver::new(frames[0].clone()).is_err());
        for frame in [
            Vec::new(),
            head.clone(),
            frames[0][..frames[0].len() / 2].to_vec(),
            [frames[0].clone(), frames[0].clone()].concat(),
        ] {
            let mut receiver = Receiver::new(head.clone()).unwrap();
            let error = receiver.batch(frame).unwrap_err();
            assert!(error.message.starts_with("broken batch: "), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_damaged_frame_is_a_batch_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let (head, mut frames) = frames(vec![rows(5)]);
            let index = at.index(frames[0].len());
            frames[0][index] = byte;
            let _ = Receiver::new(head.clone()).unwrap().batch(frames.remove(0));
            let mut head = head;
            let index = at.index(head.len());
            head[index] = byte;
            let _ = Receiver::new(head);
        }
    }
}
