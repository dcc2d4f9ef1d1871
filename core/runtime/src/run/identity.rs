//! The identity of a reading: the same record gives the same id at every read, on every computer.

use uuid::Uuid;

/// Namespace of all reading ids; frozen.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_9c52_7a0e_4b8e_9a55_3c07_d1f2_86ab);

/// UUIDv5 of driver family, meter serial and record key.
///
/// The fields are joined by `|`; `|` and `\` inside a field are escaped by `\`. Zone, offsets,
/// converted values, markers and positions have no part in it.
pub(crate) fn reading_id(family: &str, serial: &str, record_key: &str) -> Uuid {
    let mut name = String::with_capacity(family.len() + serial.len() + record_key.len() + 16);
    for (index, field) in [family, serial, record_key].into_iter().enumerate() {
        if index > 0 {
            name.push('|');
        }
        for character in field.chars() {
            if matches!(character, '|' | '\\') {
                name.push('\\');
            }
            name.push(character);
        }
    }
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_frozen() {
        let id = reading_id(
            "contour",
            "7801-1234567",
            "glucose|202605301805|93|mg/dL||1",
        );
        assert_eq!(id.to_string(), "20134953-a7fd-5549-854e-0991222660d1");
        assert_eq!(id.get_version_num(), 5);
    }

    #[test]
    fn fields_cannot_run_into_each_other() {
        assert_ne!(reading_id("a", "b|c", "d"), reading_id("a", "b", "c|d"));
        assert_ne!(reading_id("a", "b\\", "c"), reading_id("a", "b", "\\c"));
    }
}
