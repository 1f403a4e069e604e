import NIOCore
import NIOPosix

/// Sends bytes as they are and returns everything that comes back until the server closes, or for two seconds.
func rawRequest(port: Int, _ text: String) async throws -> String {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    let closing = channel.channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.channel.close(promise: nil) }
    defer { closing.cancel() }
    return try await channel.executeThenClose { inbound, outbound in
        var received = ByteBuffer()
        do {
            try await outbound.write(ByteBuffer(string: text))
            for try await part in inbound { received.writeImmutableBuffer(part) }
        } catch is ChannelError {
            // The server may close before it has read everything.
        } catch is IOError {
            // As above.
        }
        return String(buffer: received)
    }
}
