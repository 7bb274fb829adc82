//! `expect_boot`: what a plan has of it, and what is refused.

use std::path::Path;
use std::process::Command;

use crate::support::{Outcome, Project, run, stderr, stdout, tiny};

/// A stdlib with a distro whose roots say of themselves what `dracut` would say.
pub fn project() -> Project {
    let project = Project::new();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
    run(Command::new("cp")
        .arg("-a")
        .args([own, project.path().join("stdlib")]));
    let module = project.path().join("distro/tiny.rhai");
    let text = std::fs::read_to_string(&module).unwrap();
    std::fs::remove_file(module).unwrap();
    let text = text.replace(
        "fn describe_tiny(root) { }",
        r#"fn describe_tiny(root) {
    describe_root(root, #{ release: "1", arch: "amd64", machine: "x86_64" });
    set_fact(root, "boot", #{ nfs: true, http: true, mount: [], overlay: "50%", extra: "" });
}"#,
    );
    project.write("stdlib/distro/tiny.rhai", &text);
    project
}

fn plan(project: &Project, recipe: &str, format: &str) -> Outcome {
    let plan = project.recipe(recipe).plan().args(["--format", format]);
    match project.path().join("stdlib").exists() {
        true => plan.args(["--stdlib", "stdlib"]).output(),
        false => plan.output(),
    }
}

const BOTH: &str = r#"let nodes = root.export(#{ format: "nfs", name: "nodes" });
nodes.expect_boot(#{ commands: ["systemctl is-active a"], memory: 2048, timeout: 90 });
root.write_file("/etc/after", "");
expect_boot(root.export(#{ format: "cpio", name: "ram" }), #{ via: "pxe" });
"#;

#[test]
fn a_plan_has_it_in_every_form() {
    let project = project();
    let text = stdout(&plan(&project, &tiny(BOTH), "text"));
    assert!(
        text.contains("boot nodes (in QEMU, 2048 MiB, 90 s at most)"),
        "{text}"
    );
    assert!(text.contains("succeeds  systemctl is-active a"), "{text}");
    assert!(
        text.contains("boot ram (in QEMU, from the firmware on, 600 s at most)"),
        "{text}"
    );
    assert!(text.contains("2 exports, 2 boots"), "{text}");

    let json = plan(&project, &tiny(BOTH), "json").json();
    let step = &json["steps"][2];
    assert_eq!(step["call"], "expect_boot");
    assert_eq!(step["calls"][0]["span"]["start"]["line"], 3);
    assert_eq!(
        step["actions"][0]["op"],
        serde_json::json!({
            "op": "expect_boot", "export": "nodes", "via": "direct", "memory": 2048,
            "commands": ["systemctl is-active a"], "processors": 1, "timeout": 90,
            "programs": ["qemu-system-x86_64", "ganesha.nfsd"],
        })
    );
    assert_eq!(json["steps"][5]["actions"][0]["op"]["via"], "pxe");
    assert_eq!(
        json["steps"][5]["actions"][0]["op"]["programs"],
        serde_json::json!(["qemu-system-x86_64"])
    );

    let graph = stdout(&plan(&project, &tiny(BOTH), "graph"));
    assert!(graph.contains("step_2 -> step_3"), "{graph}");
    assert!(graph.contains("step_1 -> step_4"), "{graph}");

    let script = stdout(&plan(&project, &tiny(BOTH), "sh"));
    assert!(
        script.contains(
            "# Left out: a script boots no exports:\n#     rootwright boot OUT_DIR/nodes\n"
        ),
        "{script}"
    );
}

#[test]
fn it_ends_no_layer_and_is_part_of_none() {
    let project = project();
    let keys = |recipe: &str| -> Vec<String> {
        let json = stdout(&plan(&project, recipe, "json"));
        let plan: rootwright::plan::Plan = serde_json::from_str(&json).unwrap();
        let layers = rootwright::plan::layers(&plan);
        layers
            .iter()
            .map(|layer| layer.steps.len().to_string())
            .collect()
    };
    let export = r#"let nodes = root.export(#{ format: "nfs", name: "nodes" });
root.write_file("/a", "");
"#;
    let after = r#"root.write_file("/b", "");
"#;
    let without = keys(&tiny(&format!("{export}{after}")));
    let with = keys(&tiny(&format!("{export}nodes.expect_boot();\n{after}")));
    assert_eq!(without, ["1", "2"]);
    assert_eq!(with, without);
}

#[test]
fn what_cannot_be_expected_is_refused_where_it_stands() {
    let project = project();
    let nfs = r#"let e = root.export(#{ format: "nfs", name: "e" });
"#;
    for (recipe, code, message, help) in [
        (
            text!(r#"{nfs}e.expect_boot(#{ via: "http" });"#, nfs),
            "script::boot_via",
            "an export in the format `nfs` cannot be booted over `http`",
            "leave `via` out, or say `nfs` or `pxe`",
        ),
        (
            text!(r#"{nfs}e.expect_boot(#{ via: "pex" });"#, nfs),
            "script::boot_via",
            "there is no way `pex` to boot a node",
            "did you mean `pxe`?",
        ),
        (
            r#"let e = root.export(#{ format: "dir", name: "e" });
e.expect_boot(#{ via: "pxe" });"#
                .to_owned(),
            "script::boot_via",
            "an export in the format `dir` has no `boot.ipxe`",
            "the formats `nfs`, `squashfs`, `erofs` and `cpio` have one",
        ),
        (
            r#"let e = root.export(#{ format: "tar", name: "e" });
e.expect_boot();"#
                .to_owned(),
            "script::boots_nothing",
            "the export `e` has the format `tar`, and boots no node",
            "`squashfs` and `erofs` over HTTP",
        ),
        (
            text!(r#"{nfs}e.expect_boot(#{ comands: ["true"] });"#, nfs),
            "script::unknown_field",
            "`expect_boot` has no field `comands`",
            "did you mean `commands`?",
        ),
        (
            format!("{nfs}e.expect_boot(#{{ memory: 8 }});"),
            "script::number",
            "`memory` of `expect_boot` has to be 64 or more, and is 8",
            "",
        ),
        (
            "let e = 1;\nroot.expect_boot();".to_owned(),
            "script::wrong_type",
            "`export` of `expect_boot` has to be an export, and is a root",
            "`export` gives one: `let nodes = root.export(#{ … });`",
        ),
    ] {
        let plan = project.recipe(tiny(&recipe)).plan();
        let plan = plan.args(["--stdlib", "stdlib", "--error-format", "json"]);
        let report = plan.failure().report();
        assert_eq!(report["code"], code, "{recipe}: {report}");
        assert_eq!(report["message"], message, "{recipe}");
        let helps = report["help"].to_string().replace("\\\"", "\"");
        assert!(helps.contains(help), "{recipe}: {helps}");
        assert_eq!(report["trace"][0]["span"]["start"]["line"], 3, "{recipe}");
    }
}

#[test]
fn an_export_that_no_initramfs_gets_at_is_refused() {
    let project = Project::new();
    let said = stderr(&plan(
        &project,
        &tiny(
            r#"let e = root.export(#{ format: "nfs", name: "e" });
e.expect_boot();"#,
        ),
        "text",
    ));
    assert!(
        said.contains("the export `e` has no initramfs that gets at it"),
        "{said}"
    );
    assert!(
        said.contains(r#"root.dracut(#{ transports: ["nfs"], overlay: true })"#),
        "{said}"
    );
    assert!(said.contains("recipe.rhai:3:"), "{said}");
}
