//! The reference as a site: one page that holds all it needs, and looks for what is asked
//! in what it shows. It works from a file as from a server, and without a script, but for
//! the search.

use std::fmt::Write;

use pulldown_cmark::{Parser, html::push_html};

use super::markdown::{self, kind, sentence};
use super::{ERRORS_OF_ALL, Entry, Parameter, Reference};

const STYLE: &str = include_str!("site/page.css");
const SCRIPT: &str = include_str!("site/page.js");
const PAGE: &str = include_str!("site/page.html");

/// The page `index.html`.
pub fn html(reference: &Reference) -> String {
    let (mut index, mut main) = (String::new(), String::new());
    let mut about = block(markdown::HEAD);
    about.push_str("<ul>");
    for (code, text) in ERRORS_OF_ALL {
        let _ = write!(about, "<li><code>{code}</code>: {}</li>", inline(text));
    }
    about.push_str("</ul>");
    for section in &reference.sections {
        let title = escape(&section.title);
        let _ = writeln!(index, "<section><h2>{title}</h2><ul>");
        let _ = writeln!(
            main,
            "<section>\n<h2>{title}</h2>\n{}",
            block(&section.about)
        );
        for entry in &section.functions {
            let (name, id) = (escape(&entry.name), id(&entry.name));
            let _ = writeln!(
                index,
                "<li><a href=\"#{id}\"><code>{name}</code><small>{}</small></a></li>",
                inline(&entry.doc.summary)
            );
            article(&mut main, entry);
        }
        index.push_str("</ul></section>\n");
        main.push_str("</section>\n");
    }
    // What is put in last is not looked through for places.
    let parts = [
        ("<!--style-->", STYLE),
        ("<!--version-->", &escape(&reference.rootwright)),
        ("<!--about-->", &about),
        ("<!--index-->", &index),
        ("<!--main-->", &main),
        ("<!--script-->", SCRIPT),
    ];
    let mut page = String::new();
    let mut rest = PAGE;
    for (place, text) in parts {
        let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
        page.push_str(before);
        page.push_str(text);
        rest = after;
    }
    page.push_str(rest);
    page
}

fn article(out: &mut String, entry: &Entry) {
    let doc = &entry.doc;
    let (name, id) = (escape(&entry.name), id(&entry.name));
    let _ = writeln!(
        out,
        "<article id=\"{id}\">\n<h3><a href=\"#{id}\">{name}</a></h3>"
    );
    let _ = writeln!(
        out,
        "<pre class=\"signature\">{}</pre>",
        escape(&entry.signature)
    );
    let _ = writeln!(
        out,
        "<p>{}</p>\n{}",
        inline(&doc.summary),
        block(&doc.description)
    );
    if !doc.parameters.is_empty() {
        out.push_str("<h4>Parameters</h4>\n");
        parameters(out, &doc.parameters);
    }
    let _ = writeln!(out, "<h4>Gives</h4>\n<p>{}</p>", inline(&doc.gives));
    if !doc.errors.is_empty() {
        out.push_str("<h4>Errors</h4>\n<dl>\n");
        for error in &doc.errors {
            let (code, text) = (escape(&error.code), inline(&error.text));
            let _ = writeln!(out, "<dt><code>{code}</code></dt><dd>{text}</dd>");
        }
        out.push_str("</dl>\n");
    }
    let _ = writeln!(
        out,
        "<h4>Example</h4>\n<pre><code>{}</code></pre>\n</article>",
        example(&doc.example)
    );
}

fn parameters(out: &mut String, list: &[Parameter]) {
    out.push_str("<dl>\n");
    for parameter in list {
        let _ = write!(
            out,
            "<dt><code>{}</code> <span>{}</span></dt><dd>{}",
            escape(&parameter.name),
            inline(&kind(parameter)),
            inline(&sentence(&parameter.text))
        );
        if !parameter.fields.is_empty() {
            parameters(out, &parameter.fields);
        }
        if let Some(others) = &parameter.others {
            let _ = write!(out, "<p>… and {}</p>", inline(others));
        }
        out.push_str("</dd>\n");
    }
    out.push_str("</dl>\n");
}

/// What an address names: `diskless::prepare` as `diskless.prepare`.
fn id(name: &str) -> String {
    escape(&name.replace("::", "."))
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = pulldown_cmark_escape::escape_html(&mut out, text);
    out
}

/// Markdown of some paragraphs.
fn block(text: &str) -> String {
    let mut out = String::new();
    push_html(&mut out, Parser::new(text));
    out
}

/// Markdown of a line.
fn inline(text: &str) -> String {
    let out = block(text);
    let inside = out.trim().strip_prefix("<p>");
    let inside = inside.and_then(|inside| inside.strip_suffix("</p>"));
    inside.unwrap_or(out.trim()).to_owned()
}

/// A script with its strings and comments marked.
fn example(script: &str) -> String {
    let mut out = String::new();
    for line in script.lines() {
        let mut rest = line;
        while let Some(at) = rest.find(['"', '`', '/']) {
            let (before, from) = rest.split_at(at);
            out.push_str(&escape(before));
            let (class, end) = match from.chars().next() {
                Some('/') if from.starts_with("//") => ("comment", from.len()),
                Some('/') => ("", 1),
                Some(quote) => ("string", string_end(from, quote)),
                None => ("", from.len()),
            };
            let (token, after) = from.split_at(end);
            let _ = match class {
                "" => write!(out, "{}", escape(token)),
                class => write!(out, "<i class=\"{class}\">{}</i>", escape(token)),
            };
            rest = after;
        }
        out.push_str(&escape(rest));
        out.push('\n');
    }
    out
}

/// Where a string that starts `text` ends in its line.
fn string_end(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_escaped_and_marked() {
        assert_eq!(
            example("let a = \"<\\\"b\" + 1 / 2; // c & d"),
            "let a = <i class=\"string\">&quot;&lt;\\&quot;b&quot;</i> + 1 / 2; <i class=\"comment\">// c &amp; d</i>\n"
        );
        assert_eq!(inline("a `<b>` \"c\""), "a <code>&lt;b&gt;</code> \"c\"");
    }
}
