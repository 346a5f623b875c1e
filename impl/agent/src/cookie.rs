//! The field `cookie`, which may travel in pieces (spec/v1/http.md, HTP-003).

/// Joins the pieces with `; `, in their order (RFC 9113 section 8.2.3). A piece that holds no pair
/// is left out, and so are semicolons and spaces at the ends; `None` when nothing is left.
///
/// ```
/// use p2claw_agent::cookie::join;
///
/// let pieces: [&[u8]; 3] = [b"a=1; b=2", b"", b"c=3"];
/// assert_eq!(join(pieces).as_deref(), Some(&b"a=1; b=2; c=3"[..]));
/// ```
pub fn join<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let pieces: Vec<&[u8]> = pieces
        .into_iter()
        .map(trim)
        .filter(|piece| !piece.is_empty())
        .collect();
    (!pieces.is_empty()).then(|| pieces.join(&b"; "[..]))
}

/// What would make an empty pair where two pieces meet.
fn trim(mut piece: &[u8]) -> &[u8] {
    let is_outer = |byte: &u8| matches!(byte, b' ' | b'\t' | b';');
    while piece.first().is_some_and(is_outer) {
        piece = &piece[1..];
    }
    while piece.last().is_some_and(is_outer) {
        piece = &piece[..piece.len() - 1];
    }
    piece
}
