// Stands in for `snakemake`, `dvc`, `snow` and `python` where the tests look for them: asks the fork server to run the command in a
// process that has everything imported, and ends as that process does. Its group, open files, folder and environment are ours.
// FORK_SERVER and FORK_PYTHON are given when it is compiled. `python` with anything but one of the three is the real one, and in
// another process namespace, as on a pretended node of a cluster, all of them are.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char **environ;

static volatile pid_t running = 0;  // what does our work

static void forward(int number) {
    if (running) kill(running, number);
}

static std::string base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool known(const std::string &name) { return name == "snakemake" || name == "dvc" || name == "snow"; }

static int real(char **argv, int first) {
    static char own[4096];  // the environment that Python is to find, whatever word it was called by
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - sizeof "/python");
    if (length < 0) _exit(126);
    own[length] = 0;
    strcpy(strrchr(own, '/'), "/python");
    std::vector<char *> words{own};
    std::string module = argv[first] ? base(argv[first]) : "";
    char option[] = "-m";
    bool client = first < 2 && known(module);  // the word is a client's, which Python cannot read
    if (client) words.insert(words.end(), {option, &module[0]});
    for (char **at = argv + (client ? first + 1 : 1); *at; at++) words.push_back(*at);
    words.push_back(nullptr);
    execv(FORK_PYTHON, words.data());
    _exit(126);
}

static void whole(int from, void *data, size_t size) {
    for (char *at = static_cast<char *>(data); size;) {
        ssize_t got = read(from, at, size);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) _exit(125);
        at += got;
        size -= got;
    }
}

int main(int argc, char **argv) {
    int first = 0;  // the word that names the program
    if (base(argv[0]).rfind("python", 0) == 0) {
        int unbuffered = argc > 1 && !strcmp(argv[1], "-u");  // as torchrun starts its workers
        first = argc > 2 + unbuffered && !strcmp(argv[1 + unbuffered], "-m") ? 2 + unbuffered : 1;
        if (argc <= first || !known(base(argv[first]))) return real(argv, first);
    }
    char folder[4096];
    if (!getcwd(folder, sizeof folder)) _exit(125);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, FORK_SERVER, sizeof address.sun_path - 1);
    if (connect(server, reinterpret_cast<sockaddr *>(&address), sizeof address)) _exit(125);
    ucred peer{};
    socklen_t peer_size = sizeof peer;
    if (getsockopt(server, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size)) _exit(125);
    if (peer.pid == 0) return real(argv, first);  // none that we could see
    std::vector<int> streams;  // all that are open here, such as those of bash's <(...)
    std::string numbers, said;
    DIR *open_here = opendir("/proc/self/fd");
    while (dirent *entry = readdir(open_here)) {
        int number = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || number == dirfd(open_here) || number == server) continue;
        streams.push_back(number);
        numbers += (numbers.empty() ? "" : ",") + std::to_string(number);
    }
    closedir(open_here);
    auto add = [&](const std::string &word) { said.append(word).push_back('\0'); };
    add(numbers);
    add(std::to_string(getpgrp()));
    add(std::to_string(getppid()));
    add(folder);
    add(std::to_string(argc - first));
    add(base(argv[first]));
    for (int at = first + 1; at < argc; at++) add(argv[at]);
    for (char **at = environ; *at; at++) add(*at);

    uint32_t size = said.size();
    std::vector<cmsghdr> control(1 + CMSG_SPACE(streams.size() * sizeof(int)) / sizeof(cmsghdr));
    iovec part{&size, sizeof size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(streams.size() * sizeof(int));
    cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(streams.size() * sizeof(int));
    memcpy(CMSG_DATA(header), streams.data(), streams.size() * sizeof(int));
    if (sendmsg(server, &message, MSG_NOSIGNAL) != sizeof size) _exit(125);
    for (size_t sent = 0; sent < said.size();) {
        ssize_t wrote = send(server, said.data() + sent, said.size() - sent, MSG_NOSIGNAL);
        if (wrote <= 0) _exit(125);
        sent += wrote;
    }
    int32_t process, status;
    whole(server, &process, sizeof process);
    running = process;
    if (getenv("RANK")) prctl(PR_SET_PDEATHSIG, SIGKILL);  // a worker, which ends with its launcher
    for (int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) signal(number, forward);
    whole(server, &status, sizeof status);
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    _exit(WEXITSTATUS(status));
}
