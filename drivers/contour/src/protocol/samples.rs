//! Our own header texts and dialogues for tests: shapes as captured, values and serials invented.

use super::Control;
use super::frame::{FrameEnd, encode};

pub(crate) const HEADER_7390: &str = r"H|\^&||aB3dEf|Bayer7390^01.24\01.04\09.02.20^7390-1234567^7403-|A=1^C=63^G=1^I=0200^R=0^S=1^U=0^V=10600^X=070070070070180130150250^Y=360126090050099050300089^Z=1|3|||||P|1|202605301805";
pub(crate) const HEADER_7350: &str = r"H|\^&||aB3dEf|Bayer7350^01.14\01.03\04.18^7358-1234567^0000-|A=1^C=00^G=es,en\es\it\de^I=0200^R=0^S=01^U=0^V=20600^X=070070070180130180070130^Y=120054252099^Z=1|4|||||P|1|202605301805";
pub(crate) const HEADER_6200: &str = r"H|\^&||aB3dEf|Bayer6200^01.22\01.13\XX.XX^6201- C12345^0000-^C12345|A=1^C=41^G=en,en\es^I=0200^R=0^S=0^U=0^X=070070070070180130180250^Y=360126099054120054252099^Z=1|0||||||1|202605301805";
pub(crate) const HEADER_7410_SIMULATED: &str = r"H|\^&||aB3dEf|Bayer7410^01.10\01.04\16.02^7410-1234567^7405-|A=1^C=6^G=en,en\es^I=0200^R=0^S=1^U=311^V=20600^Y=360126099054120054252099^Z=1|2|||||P|1|20260530180507";
pub(crate) const HEADER_7800: &str = r"H|\^&||aB3dEf|Contour7800^01.16\02.00\20.35^7801-1234567|A=1^C=7^R=0^S=1^U=0^V=10600^X=070070180130^a=1^J=0|2|||||P|1|20260530180507|";
pub(crate) const HEADER_7150: &str =
    r"H|\^&||-7880|Bayer7150^1.05\0.00^7150-SAM1234|||||||P|1|202605301805";

/// The bytes of a whole transmission: EOT, first header, ENQ, then the frames, then EOT.
pub(crate) fn transmission(header: &str, records: &[String]) -> Vec<u8> {
    let mut wire = vec![Control::Eot.byte()];
    let line = |text: &str| format!("{text}\r").into_bytes();
    wire.extend(encode(1, &line(header), FrameEnd::Etb));
    wire.push(Control::Enq.byte());
    let middle = [header, "P|1"]
        .into_iter()
        .chain(records.iter().map(String::as_str));
    let mut number = 0_u8;
    for text in middle {
        number = (number + 1) % 8;
        wire.extend(encode(number, &line(text), FrameEnd::Etb));
    }
    wire.extend(encode(number + 1, &line("L|1||N"), FrameEnd::Etx));
    wire.push(Control::Eot.byte());
    wire
}
