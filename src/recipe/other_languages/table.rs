//! The table of habits: which errors, a pattern over the line, what is said, what to write.

use super::{Habit, When, habit};

const ANY: &[When] = &[When::Name, When::Syntax, When::Call];
const NAME: &[When] = &[When::Name];
const SYNTAX: &[When] = &[When::Syntax];
const TEXT: &[When] = &[When::Name, When::Syntax];
const CALL: &[When] = &[When::Name, When::Call];

const NO: &str = "Rhai has no `{at}`";
const LINES: &str = "text over several lines stands in backticks: `…`";
const BACKTICKS: &str = "backticks put values into text: `node-${value}`";
const FIELDS: &str = "fields stand in a map: `#{ {at}: … }`";
const OPTION: &str =
    "make it an option: `let value = option(\"name\", #{ default: \"…\" });`, set with `-o name=…`";
const CONTAINER: &str =
    "`bootstrap(#{ … })` makes a root, `root.nspawn_run([\"…\"])` runs a command in it";

/// The table. The first row that fits is taken, so the narrower ones stand first.
pub(super) static TABLE: &[Habit] = &[
    // Values.
    habit(
        TEXT,
        r"\b(?<at>null|NULL|nil|None|undefined|nullptr)\b",
        NO,
        "nothing is `()`",
    ),
    habit(TEXT, r"\b(?<at>True|TRUE)\b", NO, "write `true`"),
    habit(TEXT, r"\b(?<at>False|FALSE)\b", NO, "write `false`"),
    habit(
        SYNTAX,
        r"\b(?<at>(?<number>\d+)[KMGTkmgt]i?[Bb]?)\b",
        "`{at}` is no number: numbers have no units",
        "write it as text: `\"{at}\"`",
    ),
    habit(
        TEXT,
        r#"\b(?<at>[fF])["']"#,
        "Rhai has no f-strings",
        BACKTICKS,
    ),
    habit(
        TEXT,
        r#"\b(?<at>[rR])["']"#,
        "Rhai has no `r\"…\"`",
        "write `#\"…\"#`, in which a backslash is a backslash",
    ),
    habit(SYNTAX, r#"(?<at>"{3}|'{3})"#, "Rhai has no `{at}`", LINES),
    habit(
        SYNTAX,
        r#"(?<at><<-?~?\s*['"]?\w+)"#,
        "Rhai has no here-documents",
        LINES,
    ),
    habit(
        SYNTAX,
        r"(?<at>'(?<text>[^']{2,})'|'')",
        "single quotes hold one character, not text",
        "write `\"{text}\"`",
    ),
    habit(
        TEXT,
        "(?<at>[“”„«»‘’])",
        "`{at}` is a quote of a word processor",
        "write `\"`",
    ),
    habit(
        TEXT,
        r"(?<at>\$\{?(?<name>[A-Za-z_]\w*)\}?)",
        "a recipe sees no variables of the environment",
        OPTION,
    ),
    habit(
        ANY,
        r"\b(?<at>os)\.(?:environ|getenv)\b|\b(?<at2>process)\.env\b",
        "a recipe sees no variables of the environment",
        OPTION,
    ),
    habit(
        CALL,
        r"\b(?<at>env|getenv|environ|ENV)\s*[(\[]",
        "a recipe sees no variables of the environment",
        OPTION,
    ),
    // Operators.
    habit(TEXT, r"\b(?<at>and)\b", NO, "write `&&`"),
    habit(TEXT, r"\b(?<at>or)\b", NO, "write `||`"),
    habit(TEXT, r"\b(?<at>not)\b", NO, "write `!`: `!(a == b)`"),
    habit(TEXT, r"\s(?<at>is)\s+\w", NO, "write `==`"),
    habit(
        SYNTAX,
        r"(?<name>[\w.]+)(?<at>\+\+)",
        NO,
        "write `{name} += 1`",
    ),
    habit(
        SYNTAX,
        r"(?<name>[\w.]+)(?<at>--)",
        NO,
        "write `{name} -= 1`",
    ),
    habit(SYNTAX, r"(?<at>===)", NO, "write `==`"),
    habit(SYNTAX, r"(?<at>!==)", NO, "write `!=`"),
    habit(TEXT, r"\blet\s+\w+\s*(?<at>:=)", NO, "write `=`"),
    habit(
        TEXT,
        r"(?<name>\w+)\s*(?<at>:=)",
        NO,
        "write `let {name} = …`",
    ),
    habit(
        SYNTAX,
        r"\b(?:if|while)\b[^{=]*[^{=!<>](?<at>=)[^=]",
        "`=` gives a value to a variable, and compares nothing",
        "write `==`",
    ),
    habit(
        SYNTAX,
        r"(?<at>\?)[^?:.]*:",
        "Rhai has no `… ? … : …`",
        "`if` gives a value: `let x = if … { … } else { … };`",
    ),
    habit(
        ANY,
        r#"["']\s*(?<at>%)\s*[\w("\[]"#,
        "`%` does not put values into text",
        BACKTICKS,
    ),
    habit(SYNTAX, r"(?<at>\.\.\.)", NO, "arrays are joined with `+`"),
    habit(
        SYNTAX,
        r"(?<name>\w+)\s*(?<at>\|>)\s*(?<path>\w+)",
        NO,
        "write `{name}.{path}(…)`",
    ),
    habit(
        SYNTAX,
        r"(?<at>\[[^\]:]*:[^\]:]*\])",
        "Rhai cuts nothing out with `[a:b]`",
        "`text.sub_string(start, length)`, or `array.extract(start, length)`",
    ),
    // Functions and closures.
    habit(
        TEXT,
        r"(?<at>(?<name>\w+)\s*=>)",
        "`=>` makes no closure",
        "write `|{name}| …`",
    ),
    habit(TEXT, r"\b(?<at>lambda)\b", NO, "write `|x| …`"),
    habit(
        TEXT,
        r"^\s*(?<at>def|function|func|fun|sub|proc)\s+(?<name>\w+)",
        NO,
        "write `fn {name}(…) { … }`",
    ),
    habit(
        SYNTAX,
        r"\bfn\s+\w+\([^)]*?\w(?<at>\s*:\s*\w+)",
        "parameters have no types",
        "leave the types out: `fn name(a, b) { … }`",
    ),
    habit(
        SYNTAX,
        r"\bfn\s+(?<name>\w+)\([^)]*?\w(?<at>\s*=\s*[^,)]*)",
        "parameters have no defaults",
        "take a map, `fn {name}(root, opts)`, and say `opts.get(\"field\") ?? default`",
    ),
    habit(
        SYNTAX,
        r"^\s*(?:\}?\s*else|if|for|while|fn|try)\b.*(?<at>:)\s*$",
        "a block stands in braces, not after `:`",
        "`if … { … }`, `for … { … }`, `fn name(…) { … }`",
    ),
    // Variables.
    habit(
        TEXT,
        r"\b(?<at>var|auto|local|my|int|string)\s+(?<name>[a-zA-Z_]\w*)",
        NO,
        "write `let {name} = …`",
    ),
    habit(
        SYNTAX,
        r"\blet\s+(?<at>mut)\s+\w+",
        NO,
        "leave it out: every `let` can change, and what does not is `const`",
    ),
    habit(
        SYNTAX,
        r"\blet\s+(?<name>\w+)(?<at>\s*:\s*[\w<>\[\]]+)",
        "variables have no types",
        "write `let {name} = …`",
    ),
    habit(
        SYNTAX,
        r"\blet\s+(?<at>[(\[{])",
        "`let` makes one variable",
        "write a `let` for each",
    ),
    // Branches and loops.
    habit(
        TEXT,
        r"\b(?<at>elif|elsif|elseif|elseIf|elsif)\b",
        NO,
        "write `else if`",
    ),
    habit(
        TEXT,
        r"\b(?<at>then|fi|done|endif|esac|end)\b",
        NO,
        "a block stands in braces: `if … { … }`",
    ),
    habit(TEXT, r"\b(?<at>unless)\b", NO, "write `if !(…) { … }`"),
    habit(
        TEXT,
        r"\b(?<at>foreach)\b",
        NO,
        "write `for item in list { … }`",
    ),
    habit(
        SYNTAX,
        r"\bfor\s*(?<at>\(\s*(?:let|var|int)\b)",
        "`for` has no counter of its own",
        "write `for i in 0..10 { … }`",
    ),
    habit(
        SYNTAX,
        r"\bfor\s+\(?[\w, ]+\)?\s+(?<at>of)\b",
        NO,
        "write `in`",
    ),
    habit(
        ANY,
        r"\[[^\]]*\s(?<at>for)\s+\w+\s+in\b",
        "Rhai has no list comprehensions",
        "write `list.map(|x| …)`, or `list.filter(|x| …)`",
    ),
    habit(
        TEXT,
        r"\b(?<at>case)\b",
        NO,
        "write `switch value { \"a\" => …, \"b\" => …, _ => … }`",
    ),
    habit(
        TEXT,
        r"\b(?<at>except|rescue)\b",
        NO,
        "write `try { … } catch (error) { … }`",
    ),
    habit(
        TEXT,
        r"\b(?<at>finally|ensure)\b",
        NO,
        "write it after the `try { … } catch { … }`",
    ),
    habit(NAME, r"\b(?<at>pass)\b", NO, "an empty block is `{ }`"),
    habit(
        TEXT,
        r"^\s*(?<at>with)\b",
        NO,
        "write `let name = …;` and go on",
    ),
    // Types.
    habit(
        TEXT,
        r"^\s*(?<at>class|struct|interface|enum)\s+\w+",
        NO,
        "a map holds what belongs together: `#{ name: \"n1\", address: \"192.0.2.1\" }`",
    ),
    habit(
        TEXT,
        r"\b(?<at>new)\s+\w+",
        NO,
        "leave it out; a root comes from `bootstrap(#{ … })`",
    ),
    habit(
        TEXT,
        r"\b(?<at>await|async|yield)\b",
        NO,
        "leave it out: steps run in the order in which they are written",
    ),
    habit(
        ANY,
        r"\b(?<at>typeof|instanceof|isinstance)\b",
        NO,
        "write `type_of(value) == \"string\"`",
    ),
    // Comments and modules.
    habit(
        SYNTAX,
        r##"(?:^|\s)(?<at>#)(?:[^{"#]|$)"##,
        "`#` starts no comment",
        "write `//`",
    ),
    habit(
        TEXT,
        r"^\s*import\s+(?<at>(?:[\w.-]+/)*(?<name>\w+))",
        "the path of a module stands in quotes",
        "write `import \"{at}\" as {name};`",
    ),
    habit(
        TEXT,
        r#"^\s*(?<at>from)\s+["']?(?<path>[\w/.-]+)["']?\s+import\b"#,
        "Rhai imports whole modules",
        "write `import \"{path}\" as name;`, and call `name::function(…)`",
    ),
    habit(
        ANY,
        r#"\b(?<at>require|include|source|use)\b\s*\(?\s*["'](?<path>[^"']*)["']"#,
        NO,
        "write `import \"{path}\" as name;`",
    ),
    // Other files than recipes.
    habit(
        NAME,
        r"^\s*(?<at>FROM|RUN|COPY|ADD|ENV|WORKDIR|CMD|ENTRYPOINT)\s",
        "`{at}` is a word of container files",
        CONTAINER,
    ),
    habit(
        NAME,
        r#"^\s*(?<at>set|cd|mkdir|cp|mv|rm|chmod|chown|ln|cat|sudo|useradd|systemctl|chroot|sed)\s+[-\w/."]"#,
        "`{at}` is a command, and no function",
        "`root.nspawn_run([\"{at}\", …])` runs it in the root",
    ),
    // Named arguments.
    habit(
        NAME,
        r"[(=,]\s*(?<at>\{)\s*\w+\s*:",
        "`{` starts a block here, not a map",
        "a map starts with `#{`",
    ),
    habit(
        NAME,
        r"(?:^|[({,])\s*(?<at>\w+)\s*:(?:\s|$)",
        "`{at}:` stands outside of a map",
        FIELDS,
    ),
    habit(
        NAME,
        r"[(,]\s*(?<at>\w+)\s*=\s*[^=]",
        "`{at}=` names no argument",
        FIELDS,
    ),
    habit(
        SYNTAX,
        r"#\{(?:[^}]*?[\s,])??(?<name>\w+)\s*(?<at>=)\s*[^=]",
        "a field of a map has `:` after its name",
        "write `{name}: …`",
    ),
    // What functions are called elsewhere.
    habit(
        CALL,
        r"\b(?<at>format|sprintf|printf|fmt)\s*\(",
        NO,
        BACKTICKS,
    ),
    habit(
        CALL,
        r"\b(?<at>print|println|echo|puts|debug|console)\b",
        NO,
        "`log(\"…\")` says something, in the preview and in the build",
    ),
    habit(
        CALL,
        r"\b(?<at>exit|quit|die|abort|error|raise|panic)\b",
        NO,
        "`fail(\"…\")` ends the recipe with an error; `return;` ends it without one",
    ),
    habit(
        CALL,
        r"\b(?<at>assert)\b",
        NO,
        "write `if !(…) { fail(\"…\"); }`",
    ),
    habit(
        CALL,
        r"\b(?<at>sleep|wait)\s*\(",
        "a recipe is a plan, in which nothing is waited for",
        "what has to wait does so in the root: `root.nspawn_run([\"sleep\", \"5\"])`",
    ),
    habit(
        CALL,
        r"\b(?<at>timestamp|now|time|date|strftime|rand|random|uuid|uuid4)\b",
        "recipes have no clock and no random numbers: a plan is always the same",
        "pass the value as an option: `-o name=…`",
    ),
    habit(
        TEXT,
        r"\b(?<at>eval)\b",
        "recipes evaluate no text as code",
        "choose between values with `switch`, or between functions with `if`",
    ),
    habit(
        CALL,
        r"\b(?<at>sh|shell|bash|system|exec|run|popen|subprocess)\b",
        NO,
        "`root.nspawn_run([\"…\"])` runs a command in the root, `root.capture([\"…\"])` gives its output",
    ),
    habit(
        CALL,
        r"\b(?<at>open|read_file|readFile|read_to_string|load)\s*\(",
        "a recipe reads no files of the host",
        "`root.copy_in(\"file\", \"/path\")` copies a file that stands beside the recipe; a value of the host is an option",
    ),
    habit(
        CALL,
        r"\.\s*(?<at>length|size|count)\b",
        NO,
        "the number of items is `.len()`",
    ),
    habit(
        CALL,
        r"\.\s*(?<at>append|add)\s*\(",
        "`{at}` does not add an item",
        "`push` adds an item, `+=` an array",
    ),
    habit(
        CALL,
        r"\.\s*(?<at>includes|include|has|hasOwnProperty|exists)\s*\(",
        NO,
        "write `item in list`, or `list.contains(item)`",
    ),
    habit(
        CALL,
        r"\.\s*(?<at>upper|toUpperCase|uppercase)\s*\(",
        NO,
        "write `.to_upper()`",
    ),
    habit(
        CALL,
        r"\.\s*(?<at>lower|toLowerCase|lowercase)\s*\(",
        NO,
        "write `.to_lower()`",
    ),
    habit(
        CALL,
        r"\.\s*(?<at>startswith|startsWith)\s*\(",
        NO,
        "write `.starts_with(…)`",
    ),
    habit(
        CALL,
        r"\.\s*(?<at>endswith|endsWith)\s*\(",
        NO,
        "write `.ends_with(…)`",
    ),
    habit(
        CALL,
        r"\.\s*(?<at>strip)\s*\(",
        NO,
        "`text.trim();` takes the blanks off, in place",
    ),
    habit(
        CALL,
        r"\b(?<at>str|String|toString)\s*\(",
        NO,
        "write `value.to_string()`, or put it into backticks: `${value}`",
    ),
    habit(
        CALL,
        r"\b(?<at>int|parseInt|Number|atoi)\s*\(",
        "`{at}` reads no number from text",
        "write `parse_int(text)`",
    ),
    habit(
        CALL,
        r"\b(?<at>range|xrange|seq)\s*\(",
        "`{at}` does not count from one number",
        "write `0..3`: 0, 1 and 2",
    ),
    habit(
        CALL,
        r"\b(?<at>dict|Map|Dict|object)\s*\(",
        NO,
        "an empty map is `#{}`",
    ),
    habit(
        CALL,
        r"\b(?<at>list|Array|List)\s*\(",
        NO,
        "an empty array is `[]`",
    ),
];
