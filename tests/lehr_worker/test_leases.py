from tests.lehr_worker.fake_server import FakeServer
def test_x(): FakeServer().close()
