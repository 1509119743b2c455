//! The framing of records, that of TFRecord files: the length of the data as a little-endian `u64`, a checksum of these
//! 8 bytes, the data, and a checksum of the data. A checksum is a masked CRC-32C as a little-endian `u32`.

use super::proto::Event;
use prost::Message;

/// The constant that masks a checksum, so that a checksum of data that contain checksums is not weak.
const MASK: u32 = 0xa282_ead8;

/// The masked CRC-32C of `bytes`.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

/// Appends a message as a record.
pub(super) fn append_record(event: &Event, out: &mut Vec<u8>) {
    let data = event.encode_to_vec();
    let length = (data.len() as u64).to_le_bytes();
    out.extend(length);
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(&data);
    out.extend(masked_crc(&data).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_that_of_tensorboard() {
        let mut record = Vec::new();
        append_record(&Event::file_version(1.0), &mut record);
        // `EventFileWriter` of TensorBoard for an event with `wall_time=1.0` and `file_version="brain.Event:2"`.
        let expected = "1800000000000000a37f4b22\
                        09000000000000f03f1a0d627261696e2e4576656e743a32\
                        86bf577a";
        assert_eq!(hex::encode(record), expected);
    }
}
