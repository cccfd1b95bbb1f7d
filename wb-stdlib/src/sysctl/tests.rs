use super::*;
use crate::machine::{Machine, changed};

const SWAPPINESS: &str = "/proc/sys/vm/swappiness";
const OURS: &str = "/etc/sysctl.d/99-wildebeest.conf";

fn kernel() -> Machine {
    Machine::new()
        .file(SWAPPINESS, "60\n")
        .file("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n")
        .dir("/etc/sysctl.d")
}

fn calm(host: &Host) -> Result<Outcome> {
    Ok(host.sysctl("vm.swappiness").value("10").set()?)
}

#[test]
fn a_setting_holds_now_and_at_the_next_boot() {
    let machine = kernel();
    let diff = "vm.swappiness: 60 -> 10\n/etc/sysctl.d/99-wildebeest.conf\n+ vm.swappiness = 10";
    assert_eq!(machine.apply(calm).unwrap(), changed(diff));
    assert_eq!(machine.read(SWAPPINESS).as_deref(), Some("10\n"));
    assert_eq!(machine.read(OURS).as_deref(), Some("vm.swappiness = 10\n"));
    assert_eq!(machine.apply(calm).unwrap(), Outcome::Unchanged);
    machine.view(|host| host.sysctl("vm.swappiness").value("10").is_set()).unwrap();
}

#[test]
fn a_plan_tells_the_kernel_nothing() {
    let machine = kernel();
    let before = machine.snapshot();
    assert!(machine.plan(calm).unwrap().changed());
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn what_drifted_in_one_place_is_set_in_that() {
    let machine = kernel().file(OURS, "# ours\nvm/swappiness = 10\n");
    assert_eq!(machine.apply(calm).unwrap(), changed("vm.swappiness: 60 -> 10"));
    assert_eq!(machine.read(OURS).as_deref(), Some("# ours\nvm/swappiness = 10\n"));
    files::remove(machine.path(OURS)).unwrap();
    assert!(machine.apply(calm).unwrap().changed());
    assert_eq!(machine.read(OURS).as_deref(), Some("vm.swappiness = 10\n"));
}

#[test]
fn many_are_one_operation_and_blanks_do_not_count() {
    let machine = kernel();
    let set = |host: &Host| {
        let settings = [("vm.swappiness", "10"), ("net/ipv4/tcp_rmem", "4096 131072  6291456")];
        Ok(host.sysctls(settings).file("60-shop").set()?)
    };
    machine.apply(set).unwrap();
    let expect = "+ sysctls vm.swappiness, net/ipv4/tcp_rmem set\n    vm.swappiness: 60 -> 10\n";
    assert!(machine.said().starts_with(expect), "{}", machine.said());
    let text = "vm.swappiness = 10\nnet/ipv4/tcp_rmem = 4096 131072 6291456\n";
    assert_eq!(machine.read("/etc/sysctl.d/60-shop.conf").as_deref(), Some(text));
    assert_eq!(machine.apply(set).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_setting_can_be_forgotten() {
    let machine = kernel().file(OURS, "a.b = 1\nvm.swappiness = 10\n");
    let absent = || machine.apply(|host| Ok(host.sysctl("vm.swappiness").absent()?));
    assert!(absent().unwrap().changed());
    assert_eq!(machine.read(OURS).as_deref(), Some("a.b = 1\n"));
    assert_eq!(machine.read(SWAPPINESS).as_deref(), Some("60\n"));
    assert_eq!(absent().unwrap(), Outcome::Unchanged);
}

#[test]
fn what_a_module_brings_can_be_set_for_the_next_boot() {
    let machine = kernel();
    let later = |host: &Host| Ok(host.sysctl("net.bridge.x").value("1").only_at_boot().set()?);
    assert!(machine.apply(later).unwrap().changed());
    assert_eq!(machine.read(OURS).as_deref(), Some("net.bridge.x = 1\n"));
    assert_eq!(machine.apply(later).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_key_that_the_kernel_does_not_have_is_an_error_and_unknown_in_a_plan() {
    let machine = kernel();
    let set = |host: &Host| Ok(host.sysctls([("vm.swappiness", "10"), ("vm.swapiness", "10")]).set()?);
    machine.plan(set).unwrap();
    let expect =
        "? sysctls vm.swappiness, vm.swapiness set (cannot know: this kernel has no setting `vm.swapiness` yet)";
    assert_eq!(machine.said(), expect);
    let error = machine.apply(set).unwrap_err().to_string();
    assert!(error.starts_with("this kernel has no setting `vm.swapiness`\nhint: "), "{error}");
    assert_eq!((machine.read(SWAPPINESS).as_deref(), machine.read(OURS)), (Some("60\n"), None));
}

#[test]
fn where_one_is_refused_the_others_are_as_they_were() {
    let machine = kernel();
    files::link("/dev/full", machine.path("/proc/sys/vm/full")).unwrap();
    let setting = Setting {
        name: "vm.full".into(),
        key: Key::parse("vm.full").unwrap(),
        wanted: "1".into(),
        live: Some("0".into()),
    };
    let error = machine.apply(|host| {
        let sysctl = host.sysctl("vm.swappiness").value("10");
        let first = sysctl.setting("vm.swappiness", Key::parse("vm.swappiness").unwrap(), Some("10"))?;
        Ok(sysctl.tell(&[first, setting])?)
    });
    assert_eq!(error.unwrap_err().to_string(), "the kernel refuses `1` for `vm.full`");
    assert_eq!(machine.read(SWAPPINESS).as_deref(), Some("60\n"));
}

#[test]
fn what_leads_out_is_refused() {
    let machine = kernel();
    let check = |key: &str, value: &str, expect: &str| {
        let error = machine.apply(|host| Ok(host.sysctl(key).value(value).set()?)).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
    };
    check("../../etc/passwd", "1", "`../../etc/passwd` is no key of a setting of the kernel\nhint: ");
    let error = machine.apply(|host| Ok(host.sysctl("vm.swappiness").set()?)).unwrap_err().to_string();
    assert!(error.starts_with("no value is said for the setting `vm.swappiness`\nhint: "), "{error}");
    check("vm.swappiness", "1\nkernel.x = 2", "the value for `vm.swappiness` has a line break");
    let error =
        machine.apply(|host| Ok(host.sysctl("vm.swappiness").value("1").file("../x").set()?)).unwrap_err().to_string();
    assert!(error.starts_with("`../x` is no name of a file of /etc/sysctl.d\nhint: "), "{error}");
}

#[test]
fn a_spec_says_what_it_found() {
    let error = kernel().view(|host| host.sysctl("vm.swappiness").value("10").is_set()).unwrap_err();
    assert_eq!(error.to_string(), "expected the setting `vm.swappiness` to be `10`, found `60`");
}
