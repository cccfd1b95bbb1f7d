const __WB_VERDICTS: wb_stdlib::__private::Verdicts = wb_stdlib::__private::Verdicts::NONE;

mod all_wrong {
    use wb_stdlib::prelude::*;

    #[migration(role = "web")]
    async fn all_wrong<T>(host: &View, _more: T) {
        let _ = host;
    }
}

mod another_host {
    use wb_stdlib::prelude::*;

    #[migration(role = "web")]
    fn another_host(_host: &mut Host) -> bool {
        true
    }
}

mod no_function {
    use wb_stdlib::prelude::*;

    #[migration(role = "web")]
    struct NoFunction;

    const _: NoFunction = NoFunction;
}

fn main() {}
