//! Title and description of a recipe: its `//!` comment.

/// The first line of the `//!` comment, and the rest of it.
pub fn of(text: &str) -> (String, String) {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .skip_while(|line| line.is_empty() || line.starts_with("#!"))
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
        .collect();
    let title = lines.first().map_or("", |line| *line).to_owned();
    let description = lines.get(1..).unwrap_or_default().join("\n");
    (title, description.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_line_is_the_title() {
        let text = "#!/usr/bin/env rootwright\n\n//! A title.\n//!\n//! More,\n//! and more.\nlet x = 1; //! no\n";
        let (title, description) = super::of(text);
        assert_eq!(title, "A title.");
        assert_eq!(description, "More,\nand more.");
        assert_eq!(super::of("let x = 1;"), (String::new(), String::new()));
    }
}
