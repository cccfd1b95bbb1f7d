wb_stdlib::chain!(strict);

mod elsewhere {
    wb_stdlib::chain!();
}

wb_stdlib::runner!(fast);
