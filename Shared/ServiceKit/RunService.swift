import ArgumentParser

/// Runs a service's command line; every daemon's `main.swift` is this call.
public func runService<Assembly: ServiceAssembly>(_ type: Assembly.Type) async {
    await ServiceCommand<Assembly>.main()
}
