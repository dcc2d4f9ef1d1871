//! `glucopipe check`: step by step, without writing anything.

use glucopipe_runtime::problem::Problem;
use glucopipe_runtime::render::{escape, render_json};
use glucopipe_runtime::run::plan::Plan;
use glucopipe_runtime::run::query::check_target;
use serde_json::{Value, json};

use super::Done;
use super::run::{Opened, open, planned};
use crate::args::Check;
use crate::context::Context;
use crate::exit::Exit;

/// One step of the check.
struct Phase {
    name: &'static str,
    problems: Vec<Problem>,
    findings: Vec<String>,
}

/// Checks a pipeline.
pub(super) fn check(context: &Context, args: &Check) -> Done {
    let mut opened = open(context, &args.pipeline)?;
    let syntax_only = opened.loaded.is_broken();
    let planned = planned(context, &mut opened);
    let mut phases = configuration_phases(&opened, syntax_only);
    if let Some(plan) = planned.filter(|_| !args.offline) {
        phases.push(devices(context, &opened, &plan));
        phases.push(targets(context, &plan)?);
    }
    if args.json {
        let phases: Vec<Value> = phases
            .iter()
            .map(|phase| {
                let problems: Vec<Value> = phase.problems.iter().map(render_json).collect();
                json!({ "phase": phase.name, "ok": passed(phase), "problems": problems, "findings": phase.findings })
            })
            .collect();
        context.output.json(&json!({ "phases": phases }));
    } else {
        for phase in &phases {
            for problem in &phase.problems {
                context.output.problem(problem);
            }
            let verdict = if passed(phase) { "ok" } else { "failed" };
            context.output.data(&format!("{}: {verdict}\n", phase.name));
            for finding in &phase.findings {
                context.output.data(&format!("  {}\n", escape(finding)));
            }
        }
    }
    Ok(Exit::for_problems(
        phases.iter().flat_map(|phase| &phase.problems),
    ))
}

fn passed(phase: &Phase) -> bool {
    Exit::for_problems(&phase.problems) == Exit::Done
}

/// Sorts what the configuration has wrong into syntax, keys and plugins.
fn configuration_phases(opened: &Opened, syntax_only: bool) -> Vec<Phase> {
    let phase = |name| Phase {
        name,
        problems: Vec::new(),
        findings: Vec::new(),
    };
    let mut phases = vec![phase("syntax")];
    if syntax_only {
        phases[0].problems = opened.loaded.problems().to_vec();
        return phases;
    }
    phases.extend([phase("keys"), phase("plugins")]);
    for problem in opened.loaded.problems() {
        use glucopipe_runtime::problem::Code;
        let plugin = problem.code.area() == 4 || problem.code == Code::CONFIG_UNKNOWN_PLUGIN;
        phases[if plugin { 2 } else { 1 }]
            .problems
            .push(problem.clone());
    }
    phases
}

fn devices(context: &Context, opened: &Opened, plan: &Plan) -> Phase {
    let finder = context.finder(&opened.registry);
    let mut phase = Phase {
        name: "devices",
        problems: Vec::new(),
        findings: Vec::new(),
    };
    for source in &plan.sources {
        let driver = source.driver.as_ref().map(|driver| driver.id.as_str());
        match finder.choose(driver, &source.selector) {
            Ok((component, device)) => {
                phase.findings.push(format!(
                    "{}: {} with driver {}",
                    source.name, device.label, component.id
                ));
            }
            Err(problem) => phase.problems.push(problem),
        }
    }
    phase
}

fn targets(context: &Context, plan: &Plan) -> Result<Phase, Problem> {
    let setup = context.setup(None, true)?;
    let mut phase = Phase {
        name: "targets",
        problems: Vec::new(),
        findings: Vec::new(),
    };
    for sink in &plan.sinks {
        match check_target(sink, &setup) {
            Ok(findings) => {
                let named = |text| format!("{}: {text}", sink.name);
                phase.findings.extend(findings.into_iter().map(named));
            }
            Err(problem) => phase.problems.push(problem),
        }
    }
    Ok(phase)
}
