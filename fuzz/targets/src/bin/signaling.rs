#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| p2claw_fuzz::signaling::run(data));
