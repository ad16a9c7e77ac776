//! From HTML to Markdown or plain text: what a reader sees, without navigation and scripts. One pass, no recursion.

/// Elements whose content nobody reads.
const DROPPED: &[&str] = &[
    "script", "style", "noscript", "template", "svg", "canvas", "iframe", "nav", "footer", "aside", "form", "button", "select", "head",
    "title",
];
/// Elements that stand alone in a line.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "ul",
    "ol",
    "table",
    "tr",
    "blockquote",
    "figure",
    "figcaption",
    "dl",
    "dt",
    "dd",
    "address",
    "details",
    "summary",
];
/// Most elements whose end is waited for: deeper nesting is treated as flat.
const MOST_OPEN: usize = 512;

/// What a page says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extract {
    pub(super) title: Option<String>,
    pub(super) text: String,
}

/// Reads a page; `plain` leaves Markdown's marks out.
pub(super) fn extract(html: &str, plain: bool) -> Extract {
    let mut reader = Reader { out: String::new(), plain, dropped: Vec::new(), links: Vec::new(), pre: 0 };
    let title = title(html);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        reader.text(&rest[..at]);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let Some(end) = tag_end(rest) else { break };
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        // What is inside of a script is no HTML.
        if let Some(raw) = ["script", "style"].iter().find(|raw| is_start_of(tag, raw)) {
            rest = skip_raw(rest, raw);
            continue;
        }
        reader.tag(tag);
    }
    reader.text(if rest.starts_with('<') { "" } else { rest });
    Extract { title, text: tidy(&reader.out) }
}

fn is_start_of(tag: &str, name: &str) -> bool {
    tag_name(tag).eq_ignore_ascii_case(name) && !tag.starts_with('/')
}

fn skip_raw<'a>(rest: &'a str, name: &str) -> &'a str {
    let lower = rest.to_ascii_lowercase();
    let end = lower.find(&format!("</{name}")).unwrap_or(rest.len());
    let rest = &rest[end..];
    rest.find('>').map_or("", |at| &rest[at + 1..])
}

/// The `>` of a tag that starts the text; quoted ones do not count.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices().skip(1) {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

fn tag_name(tag: &str) -> &str {
    let tag = tag.strip_prefix('/').unwrap_or(tag);
    tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let at = lower.find(&format!(" {name}="))? + name.len() + 2;
    let rest = tag.get(at..)?.trim_start();
    let value = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].split(quote).next()?,
        _ => rest.split(|c: char| c.is_whitespace() || c == '>').next()?,
    };
    Some(decode(value))
}

fn title(html: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    let at = lower.find("<title")?;
    let start = at + lower[at..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let title = decode(html.get(start..end)?).split_whitespace().collect::<Vec<_>>().join(" ");
    (!title.is_empty()).then_some(title)
}

struct Reader {
    out: String,
    plain: bool,
    /// Names of dropped elements that are open.
    dropped: Vec<String>,
    /// Where the text of an open link begins, and its address.
    links: Vec<(usize, String)>,
    /// Open `pre` elements: their space is kept.
    pre: usize,
}

impl Reader {
    fn text(&mut self, text: &str) {
        if text.is_empty() || !self.dropped.is_empty() {
            return;
        }
        let text = decode(text);
        if self.pre > 0 {
            self.out.push_str(&text);
            return;
        }
        let spaced = |c: Option<char>| c.is_some_and(char::is_whitespace);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if (spaced(text.chars().next()) || words.is_empty()) && !self.out.is_empty() && !spaced(self.out.chars().next_back()) {
            self.out.push(' ');
        }
        self.out.push_str(&words);
        if !words.is_empty() && spaced(text.chars().next_back()) {
            self.out.push(' ');
        }
    }

    fn tag(&mut self, tag: &str) {
        let name = tag_name(tag).to_ascii_lowercase();
        let closes = tag.starts_with('/');
        if DROPPED.contains(&name.as_str()) {
            return self.drop_element(&name, closes, tag.ends_with('/'));
        }
        if !self.dropped.is_empty() {
            return;
        }
        match name.as_str() {
            "br" => self.out.push('\n'),
            "hr" => self.out.push_str("\n\n"),
            "li" if !closes => self.out.push_str(if self.plain { "\n" } else { "\n- " }),
            "td" | "th" if closes => self.out.push_str(if self.plain { " " } else { " | " }),
            "pre" => self.preformatted(closes),
            "code" if self.pre == 0 && !self.plain => self.out.push('`'),
            "strong" | "b" if !self.plain => self.out.push_str("**"),
            "a" => self.link(tag, closes),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.out.push_str("\n\n");
                if !closes && !self.plain {
                    let level = name.as_bytes().get(1).map_or(1, |digit| usize::from(digit - b'0'));
                    self.out.push_str(&"#".repeat(level));
                    self.out.push(' ');
                }
            }
            block if BLOCKS.contains(&block) => self.out.push_str("\n\n"),
            _ => {}
        }
    }

    fn drop_element(&mut self, name: &str, closes: bool, empty: bool) {
        if !closes && !empty && self.dropped.len() < MOST_OPEN {
            self.dropped.push(name.to_string());
        } else if closes && let Some(at) = self.dropped.iter().rposition(|open| open == name) {
            self.dropped.truncate(at);
        }
    }

    fn preformatted(&mut self, closes: bool) {
        self.pre = if closes { self.pre.saturating_sub(1) } else { self.pre + 1 };
        self.out.push_str(match (self.plain, closes) {
            (true, _) => "\n\n",
            (false, false) => "\n\n```\n",
            (false, true) => "\n```\n\n",
        });
    }

    fn link(&mut self, tag: &str, closes: bool) {
        if self.plain {
            return;
        }
        if !closes {
            if self.links.len() < MOST_OPEN {
                self.links.push((self.out.len(), attribute(tag, "href").unwrap_or_default()));
            }
            return;
        }
        let Some((at, address)) = self.links.pop() else { return };
        let shown = self.out.get(at..).unwrap_or_default().trim().to_string();
        if shown.is_empty() || !(address.starts_with("http://") || address.starts_with("https://") || address.starts_with('/')) {
            return;
        }
        let lead = if self.out[at..].starts_with(char::is_whitespace) { " " } else { "" };
        self.out.truncate(at);
        self.out.push_str(&format!("{lead}[{shown}]({address})"));
    }
}

/// At most one empty line, no space at the ends of lines.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(str::trim_end) {
        empty = if line.trim().is_empty() { empty + 1 } else { 0 };
        if empty <= 1 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.trim().to_string()
}

/// Named and numbered characters.
fn decode(text: &str) -> String {
    if !text.contains('&') {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.char_indices().take(12).find(|(_, c)| *c == ';').map(|(at, _)| at);
        match end.and_then(|end| Some((character(&rest[1..end])?, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    let known = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("ndash", '–'),
        ("mdash", '—'),
        ("hellip", '…'),
        ("lsquo", '‘'),
        ("rsquo", '’'),
        ("ldquo", '“'),
        ("rdquo", '”'),
        ("copy", '©'),
        ("euro", '€'),
        ("middot", '·'),
    ];
    known.iter().find(|(word, _)| *word == name).map(|(_, c)| *c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_what_a_reader_sees() {
        let html = r#"<!DOCTYPE html><html><head><title> A &amp;
            B </title><style>p{}</style></head><body><nav><a href="/x">menu</a></nav><!-- <p>no</p> -->
            <h1>Head</h1><p>One <b>two</b>&nbsp;three <a href="https://e.org/a?b=1&amp;c=2">four</a>.</p>
            <script>if (a < b) document.write("<p>no</p>")</script><ul><li>x<li>y</ul><pre>a
  b</pre><p title="1 > 2">&#65;&#x42;&unknown;</p><div hidden></body></html>"#;
        let markdown = extract(html, false);
        assert_eq!(markdown.title.as_deref(), Some("A & B"));
        let expected = "# Head\n\nOne **two** three [four](https://e.org/a?b=1&c=2).\n\n- x\n- y\n\n```\na\n  b\n```\n\nAB&unknown;";
        assert_eq!(markdown.text, expected);
        assert_eq!(extract(html, true).text, "Head\n\nOne two three four.\n\nx\ny\n\na\n  b\n\nAB&unknown;");
    }

    #[test]
    fn broken_pages_end() {
        for html in ["<", "<a", "text <p", "</p></nav>x", "<nav>", "<script>x", "<!-- x", "&", "&;", "<a href='", "é<b>ü</b>", "<title>x"]
        {
            let _ = extract(html, false);
        }
        assert_eq!(extract(&"<nav>".repeat(2_000), false), Extract::default());
        assert_eq!(extract("a < b", false).text, "a");
    }
}
