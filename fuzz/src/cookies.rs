//! Any fields named `cookie`, one each line. The browser's jar has a fuzzer of its own, in
//! `fuzz/cookies.mjs`.

use p2claw_agent::cookie::join;

/// Pieces are joined so that the pairs are those of the pieces, in their order (HTP-003).
pub fn run(data: &[u8]) {
    let pieces: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let joined = join(pieces.iter().copied());
    let pairs = |text: &[u8]| -> Vec<Vec<u8>> {
        let pairs = text.split(|byte| *byte == b';').map(trim);
        pairs
            .filter(|pair| !pair.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    };
    let expected: Vec<Vec<u8>> = pieces.iter().flat_map(|piece| pairs(piece)).collect();
    match joined {
        None => assert_eq!(expected, Vec::<Vec<u8>>::new(), "pairs were lost"),
        Some(joined) => {
            assert_eq!(pairs(&joined), expected);
            assert!(!joined.is_empty() && trim(&joined) == joined);
            assert_eq!(
                join([&joined[..]]),
                Some(joined.clone()),
                "one piece stays as it is"
            );
            assert!(joined.len() <= data.len() + pieces.len());
        }
    }
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
