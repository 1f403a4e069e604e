import HTTPKit
import Kafka
import Postgres
import Telemetry

extension ServiceConfiguration {
    /// How the service reaches its schema.
    var postgres: PostgresConfiguration {
        var configuration = PostgresConfiguration(
            url: databaseURL, role: service, password: databasePassword.isEmpty ? nil : databasePassword.reveal(),
            schema: service, applicationName: instance, connections: databaseConnections)
        configuration.queueLimit = int("postgres.queue_limit", default: 2_048)
        configuration.plansReadWholeTables = false
        return configuration
    }

    /// How the service reaches the broker.
    var kafka: KafkaConfiguration {
        var configuration = KafkaConfiguration(brokers: kafkaBrokers, clientID: instance)
        configuration.extra = kafkaSecurity.settings
        return configuration
    }

    /// How the service answers HTTP.
    var http: HTTPServerConfiguration {
        let limit = RateLimit(
            configured: int("http.requests_per_second", default: 5_000), burst: int("http.burst", default: 10_000))
        var tokens: TokenConfiguration?
        if let jwt {
            let keys: TokenConfiguration.KeySet = jwt.jwks.hasPrefix("http") ? .url(jwt.jwks) : .file(jwt.jwks)
            tokens = TokenConfiguration(issuer: jwt.issuer, audience: jwt.audience, keys: keys)
        }
        return HTTPServerConfiguration(
            host: httpHost, port: httpPort, serviceName: service,
            maxConcurrentRequests: int("http.max_concurrent_requests", default: 512),
            accessLog: flag("http.access_log"), keyMode: mode.rawValue, rateLimit: limit,
            tokens: tokens)
    }
}
