//! What hosts get to read: shell that prepares them, and a playbook for Ansible.

use wb_operations::differential::{Input, Module};

/// How each playbook begins: a host plays it for itself.
pub(super) const HEAD: &str = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  vars:\n    \
                               ansible_python_interpreter: /usr/bin/python3\n  tasks:\n";

/// Lines of shell that prepare a host for the inputs of a module.
pub(super) fn preparation(module: &Module) -> String {
    let directory = module.directory();
    let inputs: String = module.inputs.iter().map(|input| preparation_of(module, input)).collect();
    format!("mkdir -p {directory}\n(\ncd {directory}\n{}\n)\n{inputs}", module.prepare)
}

fn preparation_of(module: &Module, input: &Input) -> String {
    let own = module.own(input);
    let (here, name) = (own.directory(), own.name());
    format!("(\nHERE={here}\nNAME={name}\nmkdir \"$HERE\"\ncd \"$HERE\"\n{}\n{}\n)\n", module.each, input.prepare)
}

/// A playbook with a task for each input, none of which keeps the others from being tried.
pub(super) fn playbook(module: &Module) -> String {
    let tasks: String = module.inputs.iter().map(|input| task(module, input)).collect();
    let last = writes_down(module);
    format!("{HEAD}{tasks}{last}")
}

fn task(module: &Module, input: &Input) -> String {
    let (module, name, arguments) = (module.name, input.name, module.own(input).fill(input.task));
    format!(
        "  - name: {name}\n    ansible.builtin.{module}: {arguments}\n    register: said_{name}\n    \
         ignore_errors: true\n"
    )
}

/// The file that the last task writes, with what came of all others.
pub(super) fn written_to(module: &Module) -> String {
    format!("{}.json", module.directory())
}

fn writes_down(module: &Module) -> String {
    let said = |input: &Input| {
        let name = input.name;
        let result = format!("said_{name}");
        format!(
            "'{name}': {{ 'changed': {result}.changed, 'failed': {result}.failed, 'msg': {result}.msg | default('') }}"
        )
    };
    let all = module.inputs.iter().map(said).collect::<Vec<_>>().join(", ");
    format!(
        "  - name: what came of them\n    ansible.builtin.copy:\n      dest: {}\n      mode: '0600'\n      \
         content: \"{{{{ {{ {all} }} | to_json }}}}\"\n",
        written_to(module)
    )
}

#[cfg(test)]
mod tests {
    use wb_operations::differential::find;

    use super::*;

    fn has(text: &str, part: &str) {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }

    #[test]
    fn an_input_is_prepared_in_its_directory() {
        let text = preparation(find("cron").unwrap());
        has(&text, "mkdir -p /srv/differential/cron\n(\ncd /srv/differential/cron\n");
        has(&text, "(\nHERE=/srv/differential/cron/word\nNAME=c_word\nmkdir \"$HERE\"\ncd \"$HERE\"\nuseradd -M ");
    }

    #[test]
    fn an_input_is_a_task_that_may_fail() {
        let text = playbook(find("file").unwrap());
        let arguments = "{ state: link, path: /srv/differential/file/link/a, src: target }";
        has(&text, &format!("  - name: link\n    ansible.builtin.file: {arguments}\n"));
        has(&text, "    register: said_link\n    ignore_errors: true\n");
    }

    #[test]
    fn the_last_task_writes_down_what_came_of_the_others() {
        let text = playbook(find("file").unwrap());
        has(&text, "      dest: /srv/differential/file.json\n");
        has(&text, "      content: \"{{ { 'touched': { 'changed': said_touched.changed, 'failed': ");
        assert!(text.ends_with(" } } | to_json }}\"\n"), "{text}");
    }
}
