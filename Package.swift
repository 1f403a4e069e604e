// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

func external(_ product: String, _ package: String) -> Target.Dependency { .product(name: product, package: package) }

/// A library under `Shared/`.
func shared(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Shared/\(name)", swiftSettings: strict)
}

/// A C library of the system, reached through one Swift target only.
func system(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Shared/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let crypto: Target.Dependency = external("Crypto", "swift-crypto")
let cryptoExtras: Target.Dependency = external("CryptoExtras", "swift-crypto")
let certificates: [Target.Dependency] = [external("X509", "swift-certificates"), external("SwiftASN1", "swift-asn1")]

/// A part of the Payment service: the folder of its name, or `path`, under `Services/Payment`.
func paymentPart(
    _ name: String, _ dependencies: [Target.Dependency], path: String? = nil, exclude: [String] = []
) -> Target {
    .target(
        name: "Payment\(name)", dependencies: dependencies, path: "Services/Payment/\(path ?? name)",
        exclude: exclude,
        swiftSettings: strict)
}

func paymentConnector(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    paymentPart(
        name, ["PaymentContract", "PaymentDomain", "BillingCore"] + dependencies, path: "Connectors/\(name)")
}

let log: Target.Dependency = external("Logging", "swift-log")

/// A part with tables of its own.
func paymentArea(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    paymentPart(name, ["BillingCore", "JSON", "Postgres"] + dependencies, exclude: exclude)
}

let argumentParser: Target.Dependency = external("ArgumentParser", "swift-argument-parser")

let paymentParts: [Target] = [
    paymentPart("Wallets", ["BillingCore", "JSON", "PaymentDomain", "PKI", crypto, cryptoExtras]),
    paymentPart("Chains", ["BillingCore", "JSON", "CSecp256k1", crypto]),
    paymentPart("QR", ["BillingCore"]),
    paymentPart("ThreeDS", ["BillingCore", "JSON"]),
    paymentPart("Webhooks", ["BillingCore", "JSON", crypto, cryptoExtras] + certificates),
    paymentPart("Contract", ["BillingCore", "PaymentDomain", "Telemetry", log]),
    paymentConnector("Stripe", ["JSON", "Telemetry"]),
    paymentConnector("PayPal", ["JSON", "Telemetry"]),
    paymentConnector("Sandbox", ["JSON", "Postgres"]),
    paymentPart(
        "Records",
        ["BillingCore", "BillingEvents", "JSON", "Messaging", "PaymentContract", "PaymentDomain", "Postgres"]),
    paymentArea(
        "Authentication",
        ["PaymentContract", "PaymentDomain", "PaymentThreeDS", "PaymentWallets", "PKI", "ServiceKit", crypto]),
    paymentArea(
        "Crypto",
        [
            "HTTPKit", "PaymentChains", "PaymentContract", "PaymentDomain", "PaymentRecords", "ServiceKit", "Telemetry",
            log,
        ]),
    paymentArea(
        "Disputes",
        [
            "BillingEvents", "HTTPKit", "Messaging", "PaymentContract", "PaymentDomain", "PaymentExchange",
            "PaymentRecords", "ServiceKit", log,
        ]),
    paymentArea("Exchange", ["HTTPKit", "PaymentContract", "PaymentDomain", "PaymentRecords", "ServiceKit", log]),
    paymentArea(
        "Inbound",
        [
            "HTTPKit", "Messaging", "PaymentContract", "PaymentWebhooks", "ServiceKit", "Telemetry", argumentParser,
            crypto, log,
        ]),
    paymentArea(
        "Instalments",
        [
            "BillingEvents", "HTTPKit", "Messaging", "PaymentContract", "PaymentDomain", "PaymentRecords", "ServiceKit",
            "Telemetry", crypto, log,
        ]),
    paymentArea("Ledger", ["HTTPKit", "PaymentDomain", "PaymentRecords", "ServiceKit", "Telemetry", argumentParser]),
    paymentArea(
        "Links",
        [
            "HTTPKit", "PaymentChains", "PaymentContract", "PaymentDomain", "PaymentInstalments", "PaymentRecords",
            "Redis", crypto,
        ],
        exclude: ["Page"]),
    paymentArea("Routing", ["HTTPKit", "PaymentContract", "PaymentDomain", "Redis", "ServiceKit", "Telemetry", log]),
    paymentArea(
        "Reconciliation",
        [
            "HTTPKit", "PaymentContract", "PaymentDomain", "PaymentExchange", "PaymentRecords", "ServiceKit",
            argumentParser, log,
        ]),
]

/// The parts that a service is wired from, beside its Domain.
let parts: [String: [Target.Dependency]] = [
    "Payment": [
        "PaymentAuthentication", "PaymentChains", "PaymentContract", "PaymentCrypto", "PaymentDisputes",
        "PaymentExchange", "PaymentInbound",
        "PaymentInstalments", "PaymentLedger", "PaymentLinks", "PaymentPayPal", "PaymentQR", "PaymentReconciliation",
        "PaymentRecords", "PaymentRouting", "PaymentSandbox", "PaymentStripe", "PaymentThreeDS", "PaymentWallets",
        "PaymentWebhooks",
        external("AsyncHTTPClient", "async-http-client"), external("NIOCore", "swift-nio"),
        external("NIOHTTP1", "swift-nio"), external("NIOPosix", "swift-nio"), external("NIOSSL", "swift-nio-ssl"),
    ]
]

/// The three targets of a service: Domain (BillingCore only), Service, and the executable.
func service(_ name: String) -> [Target] {
    [
        .target(
            name: "\(name)Domain", dependencies: ["BillingCore"],
            path: "Services/\(name)/Domain", swiftSettings: strict),
        .target(
            name: "\(name)Service",
            dependencies: [
                .byName(name: "\(name)Domain"), "BillingCore", "BillingEvents", "JSON", "Telemetry", "Postgres",
                "Redis", "Messaging", "HTTPKit", "ServiceKit", external("Logging", "swift-log"),
                external("Crypto", "swift-crypto"), external("ArgumentParser", "swift-argument-parser"),
            ] + parts[name, default: []],
            path: "Services/\(name)/Service", swiftSettings: strict),
        .executableTarget(
            name: "\(name.lowercased())-service",
            dependencies: [
                .byName(name: "\(name)Service"), "ServiceKit", external("ArgumentParser", "swift-argument-parser"),
            ],
            path: "Services/\(name)/Daemon", swiftSettings: strict),
    ]
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: strict)
}

let services: [String] = ["Payment", "Subscription", "Invoice", "Fraud", "Analytics"]

/// Every test target; `REFRAIN_ONLY_TESTS=Name,Name` builds just those, for `make test` too.
func testTargets() -> [Target] {
    // What every connector's tests hold it against.
    let suite: [Target] = [
        .target(
            name: "ConnectorConformance",
            dependencies: ["BillingCore", "PaymentContract", "PaymentDomain", "TestKit"],
            path: "Tests/ConnectorConformance", swiftSettings: strict)
    ]
    let all: [Target] = [
        tests("BillingCoreTests", ["BillingCore", "TestKit"]),
        tests("JSONTests", ["JSON", "BillingCore", "TestKit"]),
        tests("TelemetryTests", ["Telemetry", external("Logging", "swift-log")]),
        tests("PostgresTests", ["Postgres", "BillingCore", "TestKit", "Threads", external("Logging", "swift-log")]),
        tests("KafkaTests", ["Kafka", "TestKit", external("Logging", "swift-log")]),
        tests("BrokerFrontTests", ["BrokerFront", "TestKit", "Threads"]),
        tests("RedisTests", ["Redis", "Telemetry", "TestKit", external("Logging", "swift-log")]),
        tests(
            "HTTPKitTests",
            [
                "HTTPKit", "JSON", "BillingCore", "Postgres", "Redis", "Telemetry", "TestKit",
                external("AsyncHTTPClient", "async-http-client"), external("JWTKit", "jwt-kit"),
                external("Crypto", "swift-crypto"), external("NIOCore", "swift-nio"), external("Logging", "swift-log"),
            ]),
        tests("BillingEventsTests", ["BillingEvents", "BillingCore", "JSON"]),
        tests(
            "MessagingTests",
            [
                "Messaging", "BillingEvents", "BillingCore", "JSON", "Postgres", "Kafka", "Telemetry", "TestKit",
                external("Logging", "swift-log"),
            ]),
        tests(
            "PaymentWalletsTests",
            [
                "PaymentWallets", "PaymentDomain", "PKI", "COpenSSL", "BillingCore", "JSON", "TestKit", crypto,
                cryptoExtras,
            ]),
        tests(
            "PaymentStripeTests",
            ["PaymentStripe", "PaymentContract", "PaymentDomain", "BillingCore", "JSON", "Telemetry", "TestKit"]),
        tests(
            "PaymentPayPalTests",
            ["PaymentPayPal", "PaymentContract", "PaymentDomain", "BillingCore", "JSON", "Telemetry", "TestKit"]),
        tests("PaymentChainsTests", ["PaymentChains", "BillingCore", "JSON", "TestKit", crypto]),
        tests(
            "PaymentCryptoTests",
            [
                "PaymentCrypto", "PaymentChains", "PaymentContract", "PaymentDomain", "PaymentRecords",
                "PaymentService",
                "BillingCore", "BillingEvents", "JSON", "HTTPKit", "Kafka", "Messaging", "Postgres", "ServiceKit",
                "Telemetry", "TestKit", log,
                external("AsyncHTTPClient", "async-http-client"),
                external("NIOCore", "swift-nio"), external("NIOHTTP1", "swift-nio"),
            ]),
        tests(
            "PaymentRoutingTests",
            [
                "PaymentRouting", "PaymentContract", "PaymentRecords", "PaymentDomain", "BillingCore", "HTTPKit",
                "JSON",
                "Postgres", "Redis", "TestKit", log,
            ]),
        tests("PaymentQRTests", ["PaymentQR", "TestKit"]),
        tests("PaymentThreeDSTests", ["PaymentThreeDS", "BillingCore", "JSON", "TestKit"]),
        tests(
            "PaymentWebhooksTests",
            ["PaymentWebhooks", "BillingCore", "JSON", "TestKit", crypto, cryptoExtras] + certificates),
        tests("PaymentLinksTests", ["PaymentLinks", "BillingCore", "HTTPKit", "JSON", "TestKit"]),
        tests(
            "PaymentLedgerTests",
            [
                "PaymentLedger", "PaymentRecords", "PaymentDomain", "BillingCore", "HTTPKit", "JSON", "Postgres",
                "TestKit", log,
            ]),
        tests(
            "PaymentExchangeTests",
            [
                "PaymentExchange", "PaymentContract", "PaymentLedger", "PaymentRecords", "PaymentDomain", "BillingCore",
                "HTTPKit", "JSON", "Postgres", "TestKit", log, external("AsyncHTTPClient", "async-http-client"),
                external("NIOCore", "swift-nio"), external("NIOHTTP1", "swift-nio"),
            ]),
        tests(
            "ServiceKitTests",
            ["ServiceKit", "BillingCore", "JSON", "Telemetry", "TestKit", log, external("Yams", "Yams")]),
    ]
    let perService: [Target] = services.flatMap { name -> [Target] in
        [
            tests("\(name)DomainTests", [.byName(name: "\(name)Domain"), "BillingCore", "TestKit"]),
            tests(
                "\(name)ServiceTests",
                [
                    .byName(name: "\(name)Domain"), .byName(name: "\(name)Service"), "BillingCore", "BillingEvents",
                    "JSON",
                    "Postgres", "Redis", "Messaging", "HTTPKit", "ServiceKit", "Telemetry", "TestKit",
                    external("Logging", "swift-log"), crypto, cryptoExtras,
                ] + parts[name, default: []] + (name == "Payment" ? ["ConnectorConformance"] : [])),
        ]
    }
    // Against doubles of outside systems: `make conformance PEERS=FOLDER`.
    let conformance: [Target] =
        (Context.environment["PEERS"] ?? "").isEmpty
        ? []
        : [
            tests(
                "PaymentPeerTests",
                [
                    "ConnectorConformance", "PaymentContract", "PaymentStripe", "PaymentPayPal", "PaymentDomain",
                    "PaymentThreeDS",
                    "PaymentWebhooks", "PaymentCrypto", "PaymentChains", "PaymentInbound", "PaymentReconciliation",
                    "PaymentRecords", "PaymentService", "ServiceKit", "Postgres", "HTTPKit", "BillingCore", "JSON",
                    "Telemetry", "TestKit", crypto, log, "PaymentAuthentication", "PaymentLinks", "PaymentSandbox",
                    "PaymentDisputes", "BillingEvents", "Messaging", "Kafka",
                ])
        ]
    guard let only = Context.environment["REFRAIN_ONLY_TESTS"], !only.isEmpty else {
        return suite + all + perService + conformance
    }
    let wanted = only.split(separator: ",").map(String.init)
    return suite + (all + perService + conformance).filter { wanted.contains($0.name) }
}

let package = Package(
    name: "refrain",
    products: (services.map { "\($0.lowercased())-service" } + ["broker-front"]).map {
        .executable(name: $0, targets: [$0])
    },
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        shared("BillingCore"),
        shared("Threads"),
        system("COpenSSL", pkgConfig: "libcrypto", apt: "libssl-dev"),
        system("CSecp256k1", pkgConfig: "libsecp256k1", apt: "libsecp256k1-dev"),
        shared("PKI", ["COpenSSL", "BillingCore"]),
        shared("JSON", ["BillingCore"]),
        shared("BillingEvents", ["BillingCore", "JSON"]),
        shared("Telemetry", [external("Logging", "swift-log")]),
        system("CPostgres", pkgConfig: "libpq", apt: "libpq-dev"),
        shared("Postgres", ["CPostgres", "BillingCore", "Telemetry", "Threads", external("Logging", "swift-log")]),
        system("CKafka", pkgConfig: "rdkafka", apt: "librdkafka-dev"),
        shared("Kafka", ["CKafka", "Threads", external("Logging", "swift-log")]),
        system("CHiredis", pkgConfig: "hiredis", apt: "libhiredis-dev"),
        system("COpenSSLTLS", pkgConfig: "libssl", apt: "libssl-dev"),
        shared("Redis", ["CHiredis", "COpenSSLTLS", "Telemetry", "Threads", external("Logging", "swift-log")]),
        .systemLibrary(name: "CMalloc", path: "Shared/CMalloc"),
        // In front of the development broker of local stacks.
        .systemLibrary(name: "CEpoll", path: "deploy/local/BrokerFront/CEpoll"),
        .target(
            name: "BrokerFront", dependencies: ["CEpoll"], path: "deploy/local/BrokerFront/Front",
            swiftSettings: strict),
        .executableTarget(
            name: "broker-front", dependencies: ["BrokerFront"], path: "deploy/local/BrokerFront/Program",
            swiftSettings: strict),
        shared(
            "Messaging",
            [
                "BillingCore", "BillingEvents", "JSON", "Postgres", "Kafka", "Telemetry", "Threads",
                external("Logging", "swift-log"),
            ]),
        shared(
            "HTTPKit",
            [
                "BillingCore", "JSON", "Postgres", "Redis", "Telemetry",
                external("Hummingbird", "hummingbird"), external("HummingbirdCore", "hummingbird"),
                external("HTTPTypes", "swift-http-types"),
                external("NIOHTTP1", "swift-nio"), external("ServiceLifecycle", "swift-service-lifecycle"),
                external("NIOCore", "swift-nio"), external("NIOPosix", "swift-nio"), external("Crypto", "swift-crypto"),
                external("JWTKit", "jwt-kit"),
                external("AsyncHTTPClient", "async-http-client"), external("Logging", "swift-log"),
            ]),
        shared(
            "ServiceKit",
            [
                "CMalloc", "BillingCore", "BillingEvents", "JSON", "Postgres", "Kafka", "Redis", "Messaging", "HTTPKit",
                "Telemetry",
                external("Logging", "swift-log"), external("ArgumentParser", "swift-argument-parser"),
                external("AsyncHTTPClient", "async-http-client"), external("NIOCore", "swift-nio"),
                external("NIOHTTP1", "swift-nio"), external("Yams", "Yams"),
            ]),
        shared(
            "TestKit",
            [
                "BillingCore", "Postgres", "Kafka", "Redis", "Telemetry", "Threads",
                external("Logging", "swift-log"),
            ]),
    ] + services.flatMap(service) + paymentParts + testTargets(),
    swiftLanguageModes: [.v6]
)
