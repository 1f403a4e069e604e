import Logging

/// One line per request.
struct AccessLog: Sendable {
    let isOn: Bool
    let logger: Logger

    func write(_ frame: Frame, route: String, status: Int, _ time: Duration) {
        guard isOn else { return }
        logger.info(
            "request",
            metadata: [
                "method": .string(frame.method), "route": .string(route),
                "status": .stringConvertible(status), "ms": .string(milliseconds(time)),
                "request_id": .string(frame.requestID),
            ])
    }

    /// Milliseconds with two decimals.
    private func milliseconds(_ time: Duration) -> String {
        let parts = time.components
        let hundredths = Int(parts.seconds) * 100_000 + Int(parts.attoseconds / 10_000_000_000_000)
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
