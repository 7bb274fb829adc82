//! The reference for a terminal.

use std::fmt::Write;

use super::doc_comment::one_line;
use super::{Entry, Parameter, Reference, Section, markdown};

/// How texts are drawn.
#[derive(Clone, Copy, Debug)]
pub struct TextStyle {
    pub color: bool,
    /// Columns that lines may take.
    pub width: usize,
}

impl TextStyle {
    fn paint(self, code: &str, text: &str) -> String {
        match self.color {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// A paragraph with `indent` before each line, and `hang` more before all but the first.
    fn wrap(self, text: &str, indent: usize, hang: usize) -> String {
        let (first, rest) = (" ".repeat(indent), " ".repeat(indent + hang));
        let options = textwrap::Options::new(self.width)
            .initial_indent(&first)
            .subsequent_indent(&rest)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::fill(text, options)
    }

    /// The paragraphs of a Markdown text.
    fn paragraphs(self, text: &str) -> impl Iterator<Item = String> {
        let paragraphs = text.split("\n\n").filter(|part| !part.is_empty());
        paragraphs.map(move |part| self.wrap(&one_line(part), 0, 0))
    }
}

/// Every name with its sentence.
pub fn list(reference: &Reference, style: TextStyle) -> String {
    let mut out = String::new();
    for found in &reference.sections {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "{}", style.bold(&found.title));
        out.push_str(&names(found, style));
    }
    out
}

fn names(section: &Section, style: TextStyle) -> String {
    let width = section.functions.iter().map(|entry| entry.name.len()).max();
    let width = width.unwrap_or(0);
    let mut out = String::new();
    for entry in &section.functions {
        let line = format!("{:width$}  {}", entry.name, entry.doc.summary);
        let _ = writeln!(out, "{}", style.wrap(&line, 2, width + 2));
    }
    out
}

/// A family or a module: what it is, and its names.
pub fn section(section: &Section, style: TextStyle) -> String {
    let mut out = format!("{}\n\n", style.bold(&section.title));
    for paragraph in style.paragraphs(&section.about) {
        let _ = writeln!(out, "{paragraph}\n");
    }
    out.push_str(&names(section, style));
    out
}

/// One function.
pub fn entry(entry: &Entry, style: TextStyle) -> String {
    let doc = &entry.doc;
    let mut out = format!("{}\n\n", style.bold(&entry.signature));
    let _ = writeln!(out, "{}", style.wrap(&doc.summary, 0, 0));
    for paragraph in style.paragraphs(&doc.description) {
        let _ = writeln!(out, "\n{paragraph}");
    }
    if !doc.parameters.is_empty() {
        let _ = writeln!(out, "\n{}", style.bold("Parameters"));
        parameters(&mut out, &doc.parameters, 2, style);
    }
    let _ = writeln!(out, "\n{}", style.bold("Gives"));
    let _ = writeln!(out, "{}", style.wrap(&doc.gives, 2, 0));
    if !doc.errors.is_empty() {
        let _ = writeln!(out, "\n{}", style.bold("Errors"));
        for error in &doc.errors {
            let line = format!("{}: {}", error.code, error.text);
            let _ = writeln!(out, "{}", style.wrap(&line, 2, 2));
        }
    }
    let _ = writeln!(out, "\n{}", style.bold("Example"));
    for line in doc.example.lines() {
        let _ = writeln!(out, "{}", format!("  {line}").trim_end());
    }
    out
}

fn parameters(out: &mut String, list: &[Parameter], indent: usize, style: TextStyle) {
    for parameter in list {
        let kind = style.dim(&markdown::kind(parameter));
        let text = match parameter.text.is_empty() {
            true => String::new(),
            false => format!(". {}", markdown::sentence(&parameter.text)),
        };
        let line = format!("{}: {kind}{text}", parameter.name);
        let _ = writeln!(out, "{}", style.wrap(&line, indent, 2));
        parameters(out, &parameter.fields, indent + 2, style);
        if let Some(others) = &parameter.others {
            let _ = writeln!(
                out,
                "{}",
                style.wrap(&format!("and {others}"), indent + 2, 2)
            );
        }
    }
}
