//! What somebody sends who means harm: the same garbage for the API, for pages, for the console and for the identity
//! provider.

/// Bodies that aren't the JSON object they should be.
pub fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let deep = format!("{}1{}", "{\"a\":".repeat(2_000), "}".repeat(2_000));
    let wide = format!("{{{}}}", (0..100).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(","));
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(20_000));
    let short: [(&str, &[u8]); 19] = [
        ("cut off", b"{"),
        ("no JSON", b"hello"),
        ("XML", b"<a/>"),
        ("a list", b"[]"),
        ("null", b"null"),
        ("a text", b"\"x\""),
        ("a number", b"1"),
        ("two values", b"{}{}"),
        ("a comma more", b"{\"a\":1,}"),
        ("single quotes", b"{'a':1}"),
        ("a comment", b"{}//x"),
        ("NaN", b"{\"a\":NaN}"),
        ("1e309", b"{\"a\":1e309}"),
        ("a lone surrogate", b"{\"a\":\"\\ud800\"}"),
        ("a raw NUL", b"{\"a\":\"\x00\"}"),
        ("no UTF-8", b"{\"a\":\"\xff\"}"),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("a name twice", b"{\"zzz\":1,\"zzz\":1}"),
        ("an unknown name", b"{\"zzz\":1}"),
    ];
    let mut all: Vec<_> = short.map(|(case, body)| (case, body.to_vec())).into();
    all.extend([("too deep", deep.into_bytes()), ("too wide", wide.into_bytes()), ("too large", huge.into_bytes())]);
    all
}

/// What a text becomes in such hands. All that was right about it stays, so that nothing else refuses it.
pub fn texts(right: &str) -> Vec<(&'static str, String)> {
    let half = right.char_indices().nth(right.chars().count() / 2).map_or(right.len(), |(at, _)| at);
    let (head, tail) = right.split_at(half);
    let mut all: Vec<_> = [("a NUL", '\0'), ("a bell", '\u{7}'), ("bidi", '\u{202e}'), ("zero width", '\u{200b}')]
        .map(|(case, inserted)| (case, format!("{head}{inserted}{tail}")))
        .into();
    all.push(("too long", format!("{right}{}", "x".repeat(2_000))));
    all
}

/// Parts of a path that name nothing. `%2e%2e` isn't among them: a client takes it for a step up by itself.
pub fn path_parts() -> Vec<(&'static str, String)> {
    let short = [
        ("a word", "x"),
        ("NUL", "apr_%00"),
        ("no UTF-8", "%FF%FE"),
        ("dots", "..%2F..%2Fetc%2Fpasswd"),
        ("another kind", "dev_0192aaaaaaaa7aaaaaaaaaaaaaaaaaaa"),
        ("a prefix", "apr_"),
        ("capitals", "apr_0192AAAAAAAA7AAAAAAAAAAAAAAAAAAA"),
        ("one digit more", "apr_0192aaaaaaaa7aaaaaaaaaaaaaaaaaaaa"),
        ("dashes", "apr_0192aaaa-aaaa-7aaa-aaaa-aaaaaaaaaaaa"),
        ("bidi", "%E2%80%AEapr"),
        ("zero width", "a%E2%80%8Bb"),
        ("encoded twice", "%2561"),
        ("a space", "a%20b"),
        ("quotes", "%27%20OR%201=1--"),
    ];
    let mut all: Vec<_> = short.map(|(case, part)| (case, part.to_owned())).into();
    all.push(("too long", "a".repeat(2_000)));
    all
}
