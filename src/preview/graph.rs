//! The plan as a picture, in the language of Graphviz.

use crate::diagnose::terminal::visible;
use crate::plan::{Plan, Step};

/// Roots as boxes with their steps in order, forks as dashed arrows, exports as folders, boots of them as boxes.
pub fn graph(plan: &Plan) -> String {
    let mut out = String::from(
        "digraph plan {\n    rankdir=TB\n    node [shape=box, style=rounded, fontname=\"sans-serif\"]\n",
    );
    for root in &plan.roots {
        let title = [&root.name, &root.distro, &root.release, &root.arch]
            .map(String::as_str)
            .join(" ");
        out.push_str(&format!(
            "    subgraph cluster_{} {{\n        label={}\n        root_{} [shape=point]\n",
            root.id,
            quote(title.trim_end()),
            root.id
        ));
        let mut before = format!("root_{}", root.id);
        for step in plan.steps.iter().filter(|step| step.root == Some(root.id)) {
            out.push_str(&format!("        {}\n", node(step)));
            let from = booted(plan, step).unwrap_or_else(|| before.clone());
            out.push_str(&format!("        {from} -> step_{}\n", step.number));
            // An export reads the root, and what comes after it does not stand on it.
            if step.makes_layer() {
                before = format!("step_{}", step.number);
            }
        }
        out.push_str("    }\n");
    }
    for step in plan.steps.iter().filter(|step| step.root.is_none()) {
        out.push_str(&format!("    {}\n", node(step)));
    }
    for root in &plan.roots {
        let Some(base) = &root.base else { continue };
        let from = plan
            .steps
            .iter()
            .rfind(|step| {
                step.root == Some(base.root) && step.number <= base.after_step && step.makes_layer()
            })
            .map_or_else(
                || format!("root_{}", base.root),
                |step| format!("step_{}", step.number),
            );
        out.push_str(&format!(
            "    {from} -> root_{} [style=dashed, label=\"fork\"]\n",
            root.id
        ));
    }
    out.push_str("}\n");
    out
}

/// The step whose export a step boots.
fn booted(plan: &Plan, step: &Step) -> Option<String> {
    let (step, _) = plan.export(&step.boots().next()?.export)?;
    Some(format!("step_{}", step.number))
}

fn node(step: &Step) -> String {
    let shape = if step.exports().next().is_some() {
        ", shape=folder, style=solid"
    } else if step.boots().next().is_some() {
        ", shape=box3d, style=solid"
    } else {
        ""
    };
    let label = quote(&format!("{}  {}", step.number, step.title()));
    format!("step_{} [label={label}{shape}]", step.number)
}

fn quote(text: &str) -> String {
    let text = visible(text)
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{text}\"")
}
